/// Products of a few rows with a quantised weight; quantized_few_rows.cu says how.
extension CUDADevice {
    /// What the kernels are made for.
    private enum FewRows {
        static let most = 32
        static let columns = 32
        static let warps = 8
        /// Blocks that occupy a device.
        static let blocks = 256
        static let mostSplits = 16
    }

    /// Whether `fewRowsProduct` takes rows `x`.
    func takesFewRows(_ x: Tensor, _ weight: QuantizedTensor) -> Bool {
        x.dataType == .bfloat16 && x.rows <= FewRows.most && x.columns % 8 == 0
            && [x.deviceAddress, weight.wordsAddress, weight.scalesAddress].allSatisfy {
                $0 % 16 == 0
            }
    }

    /// `y = x Wᵀ + bias`, without a copy of W; a row has the same bits whatever the others are.
    ///
    /// - Parameters:
    ///   - x: `[T, K]`, bf16, such as `takesFewRows`.
    ///   - bias: `[N]`, of the type of `y`.
    ///   - y: `[T, N]`, bf16 or f32.
    func fewRowsProduct(_ x: Tensor, _ weight: QuantizedTensor, bias: Tensor?, into y: Tensor) {
        let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
        precondition(y.count == T * N && bias.map { $0.dataType == y.dataType } ?? true)
        guard T > 0 else { return }
        let isWide = y.dataType == .float32
        let results: [KernelArgument] = [
            .optional(isWide ? y : nil), .optional(isWide ? bias : nil),
            .optional(isWide ? nil : y), .optional(isWide ? nil : bias),
        ]
        let splits = Self.fewRowsSplits(N: N, K: K, weight.kind)
        let sums = splits > 1 ? Tensor(uninitialized: [splits * T, N], on: y.device) : nil
        launch(
            "quantized_\(weight.kind.rawValue)_\(T > 16 ? 32 : 16)_rows", of: .quantizedFewRows,
            grid: ((N + FewRows.columns - 1) / FewRows.columns, splits, 1),
            block: 32 * FewRows.warps,
            [
                .long(T), .long(N), .long(K), .tensor(x), .address(weight.wordsAddress),
                .address(weight.scalesAddress),
            ] + (sums.map { [.tensor($0), .address(0), .address(0), .address(0)] } ?? results))
        guard let sums else { return }
        launch(
            "quantized_join_splits", of: .quantizedFewRows,
            grid: ((T * N + 255) / 256, 1, 1), block: 256,
            [.long(splits), .long(T * N), .long(N), .tensor(sums)] + results)
    }

    /// Blocks that share K, where those along N would be too few.
    static func fewRowsSplits(N: Int, K: Int, _ kind: Quantization) -> Int {
        let slabDepth = kind == .int8 ? 64 : 128
        let slabs = (K + slabDepth - 1) / slabDepth
        let tiles = (N + FewRows.columns - 1) / FewRows.columns
        return max(1, min(FewRows.blocks / tiles, slabs / FewRows.warps, FewRows.mostSplits))
    }
}
