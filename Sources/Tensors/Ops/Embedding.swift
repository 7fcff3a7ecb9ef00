import CKernels

/// Rows of a table by token id.
///
/// - Parameters:
///   - tokens: `[T]`, each below V.
///   - table: `[V, D]`, of any type or quantised.
/// - Returns: `[T, D]`, f32.
package func embedding(_ tokens: TokenIndices, _ table: Weight, _ tape: Tape?) -> Tensor {
    let (T, D, shape) = (tokens.count, table.columns, table.shape)
    precondition(tokens.areWithin(shape[0]), "A token id or row lies outside of \(shape).")
    var y = Tensor(uninitialized: [T, D])
    unsafe ck_embedding_forward(
        T, D, tokens.pointer, table.kernelWeight, y.floats)
    guard let tape, let node = table.node else { return y }
    tape.record(&y) { dy in
        node.accumulateFromZero(shape: shape) { dtable in
            unsafe ck_embedding_backward(T, D, tokens.pointer, dy.floats, dtable.floats)
        }
    }
    return y
}

/// Chosen rows of `x`.
///
/// - Parameters:
///   - x: `[T, D]`, f32.
///   - rows: `[N]`, each below T.
/// - Returns: `[N, D]`.
package func selectRows(_ x: Tensor, _ rows: TokenIndices, _ tape: Tape?) -> Tensor {
    embedding(rows, .dense(x), tape)
}
