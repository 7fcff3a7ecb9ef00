import CKernels

/// A low-rank addition to a weight, `scale * B A` (LoRA, arXiv 2106.09685).
package struct LowRank {
    /// `[R, K]`, f32.
    package let A: Tensor
    /// `[N, R]`, f32.
    package let B: Tensor
    /// What the product is multiplied by, `alpha / R` or `alpha / sqrt(R)`.
    package let scale: Float

    package init(A: Tensor, B: Tensor, scale: Float) {
        precondition(A.shape.count == 2 && B.shape.count == 2 && A.shape[0] == B.shape[1])
        self.A = A
        self.B = B
        self.scale = scale
    }

    var rank: Int { A.shape[0] }
    var trains: Bool { A.node != nil || B.node != nil }
}

/// A low-rank addition that some rows of a batch have.
package struct LowRankRows {
    package let lowRank: LowRank
    package let rows: Range<Int>

    package init(_ lowRank: LowRank, rows: Range<Int>) {
        self.lowRank = lowRank
        self.rows = rows
    }
}

/// How a product with a frozen weight reads its activations.
package enum ActivationPrecision: String, CaseIterable, Sendable {
    /// As they are: a row has the same bits as in training.
    case float32
    /// Each row quantised to 8 bits by groups of 64, for int8 and int4 weights; nothing is recorded.
    case int8
}

/// `y = x Wᵀ + bias + scale (x Aᵀ) Bᵀ`.
///
/// - Parameters:
///   - x: `[T, K]`, f32.
///   - weight: `[N, K]`, of any type or quantised.
///   - bias: `[N]`, of any type.
///   - lowRank: the adapter's part, or none.
///   - activations: how the product with the weight reads `x`; the adapter's reads it as it is.
///     Only a weight that `takesInt8Activations` may be given `int8`, and then no tape.
/// - Returns: `[T, N]`.
package func linear(
    _ x: Tensor, _ weight: Weight, bias: Tensor? = nil, lowRank: LowRank? = nil,
    activations: ActivationPrecision = .float32, _ tape: Tape?
) -> Tensor {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    precondition(x.columns == K, "A weight \(weight.shape) cannot take \(x.shape).")
    let inner = lowRank.map { product(x, $0.A) }
    var y = Tensor([T, N], isDeferred: tape?.computesOnDemand ?? false) { y in
        if activations == .int8 {
            precondition(tape == nil && weight.takesInt8Activations, "No product with 8-bit rows.")
            unsafe ck_linear_forward_int8(
                T, N, K, x.floats, K, weight.kernelWeight, bias?.bytes,
                bias?.dataType.kernelType ?? CK_F32, y.floats, N)
        } else {
            unsafe ck_linear_forward(
                T, N, K, x.floats, K, weight.kernelWeight, bias?.bytes,
                bias?.dataType.kernelType ?? CK_F32, 1, 0, y.floats, N)
        }
        guard let lowRank, let inner else { return }
        addProduct(inner, lowRank.B, scale: lowRank.scale, to: y)
    }
    let trains =
        x.node != nil || weight.node != nil || bias?.node != nil || lowRank?.trains == true
    guard let tape, trains else { return y }
    // The way back through a frozen weight alone does not read x, which is not kept for it then.
    let again = weight.node != nil || lowRank?.A.node != nil ? x.forBackward : nil
    let (node, shape) = (x.node, x.shape)
    tape.record(&y) { dy in
        let kept = again?()
        if let lowRank, let inner {
            lowRankBackward(dy, x: kept, inner: inner, lowRank, to: node, shape)
        }
        node?.accumulate(shape: shape) { dx, isFirst in
            addInputGradient(dy, weight, scale: 1, accumulate: !isFirst, to: dx)
        }
        if let node = weight.node, let kept { addWeightGradient(dy, kept, scale: 1, to: node) }
        bias?.node?.accumulateFromZero(shape: [N]) { dbias in
            unsafe ck_linear_backward_bias(T, N, dy.floats, N, dbias.floats)
        }
    }
    return y
}

/// The same with a dense weight.
package func linear(
    _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, lowRank: LowRank? = nil, _ tape: Tape?
) -> Tensor {
    linear(x, .dense(weight), bias: bias, lowRank: lowRank, tape)
}

/// The same where runs of rows have low-rank parts of their own, as in a batch for several
/// adapters (Punica, arXiv 2310.18547): the product with the weight is computed once for all rows.
///
/// Each row has the same bits as alone. Nothing is recorded.
///
/// - Parameter lowRanks: of runs of rows that do not overlap; the other rows have the base alone.
/// - Returns: `[T, N]`.
package func linear(
    _ x: Tensor, _ weight: Weight, bias: Tensor? = nil, lowRanks: [LowRankRows],
    activations: ActivationPrecision = .float32
) -> Tensor {
    let y = linear(x, weight, bias: bias, activations: activations, nil)
    let inners = lowRanks.map { Tensor(uninitialized: [$0.rows.count, $0.lowRank.rank]) }
    withExtendedLifetime(inners) {
        let parts = Array(zip(lowRanks, inners))
        unsafe groupedProducts(
            parts.map { unsafe group(x.rows($0.rows), $0.lowRank.A, scale: 1, to: $1) },
            accumulate: false)
        unsafe groupedProducts(
            parts.map {
                unsafe group($1, $0.lowRank.B, scale: $0.lowRank.scale, to: y.rows($0.rows))
            }, accumulate: true)
    }
    return y
}

extension Tensor {
    /// Adds `scale B A` to an f32 weight `[N, K]`: what merging an adapter does.
    package func add(_ lowRank: LowRank) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        precondition(shape == [lowRank.B.shape[0], lowRank.A.shape[1]], "\(shape) += B A")
        addInputGradient(
            lowRank.B, .dense(lowRank.A), scale: lowRank.scale, accumulate: true, to: self)
    }
}

/// The gradients of the low-rank part: of A, of B, and of x through them.
private func lowRankBackward(
    _ dy: Tensor, x: Tensor?, inner: Tensor, _ lowRank: LowRank, to node: GradientNode?,
    _ shape: [Int]
) {
    let dinner = Tensor(uninitialized: inner.shape)
    addInputGradient(dy, .dense(lowRank.B), scale: lowRank.scale, accumulate: false, to: dinner)
    if let node = lowRank.B.node { addWeightGradient(dy, inner, scale: lowRank.scale, to: node) }
    if let node = lowRank.A.node, let x { addWeightGradient(dinner, x, scale: 1, to: node) }
    node?.accumulate(shape: shape) { dx, isFirst in
        addInputGradient(dinner, .dense(lowRank.A), scale: 1, accumulate: !isFirst, to: dx)
    }
}

/// The product `scale x Wᵀ`, as one of several; `x`, `weight` and `y` must outlive it.
private func group(
    _ x: Tensor, _ weight: Tensor, scale: Float, to y: Tensor
) -> ck_linear_group {
    unsafe ck_linear_group(
        M: x.rows, N: weight.shape[0], K: weight.shape[1], x: x.floats, W: weight.bytes,
        dtype: weight.dataType.kernelType, scale: scale, y: y.floats)
}

/// All of these products in one call of the worker threads.
private func groupedProducts(_ groups: [ck_linear_group], accumulate: Bool) {
    unsafe ck_grouped_linear_forward(groups.count, groups, accumulate ? 1 : 0)
}

/// `x Wᵀ`, unrecorded.
private func product(_ x: Tensor, _ weight: Tensor) -> Tensor {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    let y = Tensor(uninitialized: [T, N])
    unsafe ck_linear_forward(
        T, N, K, x.floats, K, weight.kernelWeight, nil, CK_F32, 1, 0, y.floats, N)
    return y
}

/// `y += scale x Wᵀ`, unrecorded.
private func addProduct(_ x: Tensor, _ weight: Tensor, scale: Float, to y: Tensor) {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    unsafe ck_linear_forward(
        T, N, K, x.floats, K, weight.kernelWeight, nil, CK_F32, scale, 1, y.floats, N)
}

/// `dx (+)= scale dy W`
private func addInputGradient(
    _ dy: Tensor, _ weight: Weight, scale: Float, accumulate: Bool, to dx: Tensor
) {
    let (T, N, K) = (dy.rows, weight.shape[0], weight.shape[1])
    unsafe ck_linear_backward_input(
        T, N, K, dy.floats, N, weight.kernelWeight, scale, accumulate ? 1 : 0, dx.floats, K)
}

/// `dW += scale dyᵀ x`
private func addWeightGradient(_ dy: Tensor, _ x: Tensor, scale: Float, to node: GradientNode) {
    let (T, N, K) = (dy.rows, dy.columns, x.columns)
    node.accumulateFromZero(shape: [N, K]) { dW in
        unsafe ck_linear_backward_weight(
            T, N, K, dy.floats, N, x.floats, K, scale, dW.floats)
    }
}
