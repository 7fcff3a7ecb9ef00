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

    /// Whether another one is this one: of the same numbers in the same memory.
    package func isSame(as other: LowRank) -> Bool {
        scale == other.scale && A.isSameView(as: other.A) && B.isSameView(as: other.B)
    }
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
///   - x: `[T, K]`.
///   - weight: `[N, K]`, of any type or quantised.
///   - bias: `[N]`, of any type.
///   - lowRank: the adapter's part, or none.
///   - activations: how the product with the weight reads `x`; the adapter's reads it as it is.
///     Only a weight that `takesInt8Activations` may be given `int8`, on the host and without a tape.
///   - resultType: of the result on a device; none for that of the product (`productType`). Only
///     without a tape may it be another.
/// - Returns: `[T, N]`.
package func linear(
    _ x: Tensor, _ weight: Weight, bias: Tensor? = nil, lowRank: LowRank? = nil,
    activations: ActivationPrecision = .float32, as resultType: DataType? = nil, _ tape: Tape?
) -> Tensor {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    precondition(x.columns == K, "A weight \(weight.shape) cannot take \(x.shape).")
    precondition(activations == .float32 || tape == nil, "8-bit rows are not differentiated.")
    let type = weight.productType(with: x)
    precondition(resultType == nil || resultType == type || tape == nil, "No way back.")
    let input = x.stored(as: type)
    let inner = lowRank.map { product(input, $0.A) }
    var y = Tensor(
        [T, N], dataType: resultType ?? type, on: x.device,
        isDeferred: tape?.computesOnDemand ?? false
    ) { y in
        putProduct(input, weight, bias: bias, activations, into: y)
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
        let kept = again?().stored(as: type)
        if let lowRank, let inner {
            lowRankBackward(dy, x: kept, inner: inner, lowRank, to: node, shape)
        }
        node?.accumulate(shape: shape, in: type) { dx, isFirst in
            addInputGradient(dy, weight, scale: 1, accumulate: !isFirst, to: dx)
        }
        if let node = weight.node, let kept { addWeightGradient(dy, kept, scale: 1, to: node) }
        bias?.node?.accumulateFromZero(shape: [N]) { addBiasGradient(dy, to: $0) }
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
    addGroupedProducts(x, lowRanks, to: y)
    return y
}

extension Tensor {
    /// Adds `scale B A` to an f32 weight `[N, K]`: what merging an adapter does.
    package func add(_ lowRank: LowRank) {
        precondition(shape == [lowRank.B.shape[0], lowRank.A.shape[1]], "\(shape) += B A")
        storage.willWrite()
        addInputGradient(
            lowRank.B.moved(to: device), .dense(lowRank.A.moved(to: device)),
            scale: lowRank.scale, accumulate: true, to: self)
    }
}

/// The gradients of the low-rank part: of A, of B, and of x through them.
private func lowRankBackward(
    _ dy: Tensor, x: Tensor?, inner: Tensor, _ lowRank: LowRank, to node: GradientNode?,
    _ shape: [Int]
) {
    let dinner = Tensor(
        uninitialized: inner.shape, dataType: inner.dataType, on: inner.device)
    addInputGradient(dy, .dense(lowRank.B), scale: lowRank.scale, accumulate: false, to: dinner)
    if let node = lowRank.B.node { addWeightGradient(dy, inner, scale: lowRank.scale, to: node) }
    if let node = lowRank.A.node, let x { addWeightGradient(dinner, x, scale: 1, to: node) }
    node?.accumulate(shape: shape, in: dinner.dataType) { dx, isFirst in
        addInputGradient(dinner, .dense(lowRank.A), scale: 1, accumulate: !isFirst, to: dx)
    }
}
