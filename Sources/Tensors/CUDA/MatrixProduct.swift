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
    ///   - accumulates: whether the product is added to what `d` holds.
    ///   - bias: `[N]`, added to each row; the type of `d`.
    package func matrixProduct(
        _ a: Tensor, isATransposed: Bool = false, _ b: Tensor, isBTransposed: Bool = false,
        into d: Tensor, scale: Float = 1, accumulates: Bool = false, bias: Tensor? = nil
    ) {
        let (M, K) = isATransposed ? (a.columns, a.rows) : (a.rows, a.columns)
        let (N, depth) = isBTransposed ? (b.rows, b.columns) : (b.columns, b.rows)
        precondition(K == depth, "The product of \(a.shape) and \(b.shape) has no depth.")
        precondition(
            d.count == M * N && d.columns == N, "\(d.shape) is not the product's [\(M), \(N)].")
        precondition(a.dataType == b.dataType, "The operands have different types.")
        precondition(
            bias.map { $0.count == N && $0.dataType == d.dataType } ?? true,
            "The bias is not [\(N)] of the result's type.")
        guard M > 0, N > 0, K > 0 else {
            precondition(d.count == 0 || accumulates, "A product of no depth.")
            return
        }
        let addresses = [a, b, d].map(\.deviceAddress) + (bias.map { [$0.deviceAddress] } ?? [])
        let kind = MatrixProducts.Kind(
            M: M, N: N, K: K, isATransposed: isATransposed, isBTransposed: isBTransposed,
            inputType: a.dataType, outputType: d.dataType, hasBias: bias != nil,
            alignments: addresses.map { UInt32(1) << min(8, $0.trailingZeroBitCount) })
        let hasBias = orEnd { () throws(CUDAError) in
            try driver.enter()
            return try products.multiply(
                kind, a: addresses[0], b: addresses[1], d: addresses[2],
                bias: bias?.deviceAddress, scale: scale, addend: accumulates ? 1 : 0)
        }
        if let bias, !hasBias { linearAddBias(bias, to: d) }
    }
}
