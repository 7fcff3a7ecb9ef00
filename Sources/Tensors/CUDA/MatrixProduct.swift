extension CUDADevice {
    /// `d = scale * op(a) op(b)` with f32 sums, TF32 never; op is the transpose where the operand is
    /// said to be transposed.
    ///
    /// The three products of `y = x Wᵀ`, with `x [T, K]` and `W [N, K]`:
    /// ```
    /// matrixProduct(x, W, isBTransposed: true, into: y, bias: bias)
    /// matrixProduct(dy, W, into: dx)
    /// matrixProduct(dy, isATransposed: true, x, into: dW, accumulates: true)
    /// ```
    ///
    /// - Parameters:
    ///   - a: `[M, K]`, or `[K, M]` where it is transposed; f32 or bf16. All dimensions but the last
    ///     are rows.
    ///   - b: `[K, N]`, or `[N, K]` where it is transposed; the type of `a`.
    ///   - d: `[M, N]`, f32 or bf16; it is no part of `a` or `b`.
    ///   - columnsOfD: the N columns of a wider `d` that are the result; none for all.
    ///   - accumulates: whether the product is added to what `d` holds.
    ///   - bias: as many numbers as `d` has columns, added to each row; the type of `d`.
    package func matrixProduct(
        _ a: Tensor, isATransposed: Bool = false, _ b: Tensor, isBTransposed: Bool = false,
        into d: Tensor, columnsOfD: Range<Int>? = nil, scale: Float = 1,
        accumulates: Bool = false, bias: Tensor? = nil
    ) {
        let (M, K) = isATransposed ? (a.columns, a.rows) : (a.rows, a.columns)
        let (N, depth) = isBTransposed ? (b.rows, b.columns) : (b.columns, b.rows)
        precondition(K == depth, "The product of \(a.shape) and \(b.shape) has no depth.")
        let columns = columnsOfD ?? 0..<d.columns
        precondition(
            d.count == M * d.columns && columns.count == N && columns.upperBound <= d.columns,
            "\(columns) of \(d.shape) is not the product's [\(M), \(N)].")
        precondition(a.dataType == b.dataType, "The operands have different types.")
        precondition(
            bias.map { $0.count == d.columns && $0.dataType == d.dataType } ?? true,
            "The bias is not [\(d.columns)] of the result's type.")
        guard M > 0, N > 0, K > 0 else {
            precondition(d.count == 0 || accumulates, "A product of no depth.")
            return
        }
        let start = UInt64(columns.lowerBound * d.dataType.size)
        let addresses =
            [a.deviceAddress, b.deviceAddress, d.deviceAddress + start]
            + (bias.map { [$0.deviceAddress + start] } ?? [])
        let kind = MatrixProducts.Kind(
            M: M, N: N, K: K, isATransposed: isATransposed, isBTransposed: isBTransposed,
            inputType: a.dataType, outputType: d.dataType, hasBias: bias != nil,
            resultStride: d.columns,
            alignments: addresses.map { UInt32(1) << min(8, $0.trailingZeroBitCount) })
        let hasBias = orEnd { () throws(CUDAError) in
            try driver.enter()
            return try products.multiply(
                kind, a: addresses[0], b: addresses[1], d: addresses[2],
                bias: bias.map { $0.deviceAddress + start }, scale: scale,
                addend: accumulates ? 1 : 0)
        }
        if let bias, !hasBias { linearAddBias(bias, to: d, columns: columns) }
    }
}
