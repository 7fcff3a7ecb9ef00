import CKernels

/// The heads of an attention layer.
package struct HeadLayout: Sendable, Equatable {
    /// Query heads, a multiple of `keyValueHeads`.
    package let queryHeads: Int
    package let keyValueHeads: Int
    /// Numbers a head.
    package let dimension: Int

    package init(queryHeads: Int, keyValueHeads: Int, dimension: Int) {
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.dimension = dimension
    }

    /// `1 / sqrt(dimension)`, what scores are multiplied by.
    package var scale: Float { 1 / Float(dimension).squareRoot() }
}

/// Causal grouped-query attention over sequences that lie end to end, never holding a matrix of
/// scores (FlashAttention-2, arXiv 2307.08691).
///
/// A row has the same bits whether its sequence begins with rows of another or has its own for all
/// tokens; the gradients of shared keys and values are the sums over the sequences that see them.
///
/// - Parameters:
///   - q: `[T, H * D]`, turned by the rotary embedding.
///   - k: `[T, K * D]`, likewise.
///   - v: `[T, K * D]`.
///   - packed: which of the T rows make up which sequence.
///   - window: how many tokens back a token sees, itself included; 0 means all.
/// - Returns: `[T, H * D]`.
package func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, packed: PackedSequences, heads: HeadLayout,
    window: Int, _ tape: Tape?
) -> Tensor {
    let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
    let (T, type, device) = (q.rows, q.dataType, q.device)
    precondition(q.columns == H * D && k.columns == K * D && v.columns == K * D)
    precondition(k.rows == T && v.rows == T && packed.rowCount == T)
    var out = Tensor(uninitialized: [T, H * D], dataType: type, on: device)
    let trains = tape != nil && (q.node != nil || k.node != nil || v.node != nil)
    let lse = trains ? Tensor(uninitialized: [T, H], on: device) : nil
    switch device {
    case .cpu:
        unsafe ck_attention_forward(
            packed.sequences.count, packed.sequences, H, K, D, q.floats, k.floats, v.floats,
            heads.scale, window, out.floats, lse?.floats)
    case .cuda(let cuda):
        cuda.attentionForward(
            q, k, v, packed: packed, heads: heads, window: window, out: out, lse: lse)
    }
    guard let tape, let lse else { return out }
    let result = out
    tape.record(&out) { dout in
        let dq = Tensor(uninitialized: q.shape, dataType: type, on: device)
        let dk = Tensor(uninitialized: k.shape, dataType: type, on: device)
        let dv = Tensor(uninitialized: v.shape, dataType: type, on: device)
        switch device {
        case .cpu:
            let (S, sequences) = (packed.sequences.count, packed.sequences)
            let floats = unsafe ck_attention_backward_floats(S, sequences, K, D, window)
            let workspace = Tensor(uninitialized: [floats], on: .cpu)
            unsafe ck_attention_backward(
                S, sequences, H, K, D, dout.floats, q.floats, k.floats, v.floats,
                result.floats, lse.floats, heads.scale, window, workspace.floats, floats,
                dq.floats, dk.floats, dv.floats)
        case .cuda(let cuda):
            cuda.attentionBackward(
                dout: dout, q, k, v, out: result, lse: lse, packed: packed, heads: heads,
                window: window, dq: dq, dk: dk, dv: dv)
        }
        q.node?.add(dq)
        k.node?.add(dk)
        v.node?.add(dv)
    }
    return out
}
