/// The low-rank parts of runs of rows, all in two launches; grouped_linear.cu says how.
extension CUDADevice {
    /// What the kernels are made for.
    private enum Groups {
        /// Groups of one launch.
        static let most = 8
        /// Rows of a group that the library's products serve better.
        static let manyRows = 128
        static let mostRank = 256
        static let tileRows = 16
        static let ranks = 32
        static let splitDepth = 1024
        static let columns = 128
    }

    /// Whether `addLowRanks` takes a part, which depends on nothing but the part itself.
    func takesInGroup(_ part: LowRankRows, _ x: Tensor, _ y: Tensor) -> Bool {
        part.rows.count <= Groups.manyRows && part.lowRank.rank <= Groups.mostRank
            && x.dataType == y.dataType
    }

    /// `y[rows] += scale (x[rows] Aᵀ) Bᵀ` for each part.
    ///
    /// - Parameters:
    ///   - parts: such as `takesInGroup`; rows of no two overlap.
    ///   - x: `[T, K]`.
    ///   - y: `[T, N]`, of the type of `x`.
    func addLowRanks(_ x: Tensor, _ parts: [LowRankRows], to y: Tensor) {
        let parts = parts.filter { !$0.rows.isEmpty }
        for start in stride(from: 0, to: parts.count, by: Groups.most) {
            addSome(x, Array(parts[start..<min(start + Groups.most, parts.count)]), to: y)
        }
    }

    /// The same of as many parts as one launch takes.
    private func addSome(_ x: Tensor, _ parts: [LowRankRows], to y: Tensor) {
        let (T, K, N) = (x.rows, x.columns, y.columns)
        let type = x.dataType
        let factors = parts.map {
            (A: $0.lowRank.A.weight(as: type), B: $0.lowRank.B.weight(as: type))
        }
        let mostRank = parts.map(\.lowRank.rank).max() ?? 0
        let isWide =
            type == .bfloat16 && K % 8 == 0 && N % 8 == 0
            && parts.allSatisfy { $0.lowRank.rank % 8 == 0 }
            && (factors.flatMap { [$0.A, $0.B] } + [x, y]).allSatisfy {
                $0.deviceAddress % 16 == 0
            }
        let suffix = "\(type.kernelSuffix)\(isWide ? "_tensor" : "")"
        let tiles = parts.reduce(0) {
            $0 + ($1.rows.count + Groups.tileRows - 1) / Groups.tileRows
        }
        let splits = (K + Groups.splitDepth - 1) / Groups.splitDepth
        let inner = Tensor(uninitialized: [splits * T, mostRank], on: x.device)
        let groups = arguments(parts, factors)
        launch(
            "grouped_linear_shrink_\(suffix)", of: .groupedLinear,
            grid: (tiles, (mostRank + Groups.ranks - 1) / Groups.ranks, splits), block: 256,
            [.long(T), .long(K), .long(mostRank), .tensor(x), .tensor(inner)] + groups)
        launch(
            "grouped_linear_expand_\(suffix)", of: .groupedLinear,
            grid: (tiles, (N + Groups.columns - 1) / Groups.columns, 1), block: 128,
            [
                .long(T), .long(N), .long(mostRank), .long(splits), .tensor(inner), .tensor(y),
            ] + groups)
    }

    /// The groups as the kernels take them, those that are not there as groups of no rows.
    private func arguments(
        _ parts: [LowRankRows], _ factors: [(A: Tensor, B: Tensor)]
    ) -> [KernelArgument] {
        (0..<Groups.most).flatMap { index -> [KernelArgument] in
            guard index < parts.count else {
                return [.address(0), .address(0), .long(0), .long(0), .int(0), .float(0)]
            }
            let (part, factor) = (parts[index], factors[index])
            return [
                .tensor(factor.A), .tensor(factor.B), .long(part.rows.lowerBound),
                .long(part.rows.upperBound), .int(Int32(part.lowRank.rank)),
                .float(part.lowRank.scale),
            ]
        }
    }
}
