/// Products with a quantised weight, in the type of the activations.
extension CUDADevice {
    /// Bytes of dense elements that exist at a time.
    static let mostDenseBytes = 64 << 20

    /// `y = x Wᵀ + bias`
    ///
    /// - Parameters:
    ///   - x: `[T, K]`.
    ///   - bias: `[N]`, of the type of `y`.
    ///   - mostBytes: of dense rows that are made at a time where `x` has many rows.
    func product(
        _ x: Tensor, _ weight: QuantizedTensor, bias: Tensor?, into y: Tensor,
        mostBytes: Int = CUDADevice.mostDenseBytes
    ) {
        if takesFewRows(x, weight) {
            fewRowsProduct(x, weight, bias: bias, into: y)
            return
        }
        let (N, K) = (weight.shape[0], weight.shape[1])
        for rows in Self.pieces(of: N, bytesEach: K * x.dataType.size, mostBytes) {
            let matrix = dequantized(weight, rows: rows, columns: 0..<K, as: x.dataType)
            matrixProduct(
                x, matrix, isBTransposed: true, into: y, columnsOfD: rows, bias: bias)
        }
    }

    /// `dx (+)= scale dy W`: pieces of columns, so that no sum is rounded twice.
    ///
    /// - Parameters:
    ///   - dy: `[T, N]`.
    ///   - dx: `[T, K]`.
    ///   - mostBytes: of dense columns that are made at a time.
    func inputGradient(
        _ dy: Tensor, _ weight: QuantizedTensor, scale: Float, accumulates: Bool, into dx: Tensor,
        mostBytes: Int = CUDADevice.mostDenseBytes
    ) {
        let (N, K) = (weight.shape[0], weight.shape[1])
        for columns in Self.pieces(of: K, bytesEach: N * dy.dataType.size, mostBytes) {
            let matrix = dequantized(weight, rows: 0..<N, columns: columns, as: dy.dataType)
            matrixProduct(
                dy, matrix, into: dx, columnsOfD: columns, scale: scale, accumulates: accumulates)
        }
    }

    /// Some rows and columns of a quantised weight as dense ones.
    ///
    /// - Parameter columns: from a multiple of 64 on.
    func dequantized(
        _ weight: QuantizedTensor, rows: Range<Int>, columns: Range<Int>, as type: DataType
    ) -> Tensor {
        let y = Tensor(
            uninitialized: [rows.count, columns.count], dataType: type, on: weight.device)
        dequantize(weight, rows: rows, columns: columns, y: y)
        return y
    }

    /// Writes some rows and columns of a quantised weight `[N, K]` as dense ones.
    ///
    /// - Parameters:
    ///   - columns: from a multiple of 64 on.
    ///   - y: `[rows.count, columns.count]`.
    func dequantize(
        _ weight: QuantizedTensor, rows: Range<Int>, columns: Range<Int>, y: Tensor
    ) {
        let (N, K) = (weight.shape[0], weight.shape[1])
        precondition(rows.lowerBound >= 0 && rows.upperBound <= N)
        precondition(columns.lowerBound % 64 == 0 && columns.upperBound <= K)
        precondition(y.shape == [rows.count, columns.count])
        guard !rows.isEmpty, !columns.isEmpty else { return }
        let (panel, wordsABlock) = (8, 4 * 256)
        let panels = (rows.upperBound - 1) / panel - rows.lowerBound / panel + 1
        let words = QuantizedTensor.wordByteCount([panel, columns.count], weight.kind) / 4
        launch(
            "dequantize_\(weight.kind.rawValue)_\(y.dataType.kernelSuffix)", of: .quantizedLinear,
            grid: (panels, (words + wordsABlock - 1) / wordsABlock, 1), block: 256,
            .long(rows.count), .long(columns.count), .long(K), .long(rows.lowerBound),
            .long(columns.lowerBound), .address(weight.wordsAddress),
            .address(weight.scalesAddress), .tensor(y))
    }

    /// `0..<count` in pieces of whole groups of 64 that have at most so many bytes, if they can.
    private static func pieces(of count: Int, bytesEach: Int, _ mostBytes: Int) -> [Range<Int>] {
        let most = max(64, mostBytes / bytesEach / 64 * 64)
        return stride(from: 0, to: count, by: most).map { $0..<min($0 + most, count) }
    }
}
