import CKernels

/// Rows of a table by token id.
///
/// - Parameters:
///   - tokens: `[T]`, each below V.
///   - table: `[V, D]`, of any type or quantised.
/// - Returns: `[T, D]`, f32.
package func embedding(_ tokens: TokenIndices, _ table: Weight, _ tape: Tape?) -> Tensor {
    gather(tokens, table, as: .float32, tape)
}

/// Chosen rows of `x`.
///
/// - Parameters:
///   - x: `[T, D]`.
///   - rows: `[N]`, each below T.
/// - Returns: `[N, D]`, of the type of `x`.
package func selectRows(_ x: Tensor, _ rows: TokenIndices, _ tape: Tape?) -> Tensor {
    gather(rows, .dense(x), as: x.dataType, tape)
}

private func gather(
    _ tokens: TokenIndices, _ table: Weight, as type: DataType, _ tape: Tape?
) -> Tensor {
    let (T, D, shape) = (tokens.count, table.columns, table.shape)
    precondition(tokens.areWithin(shape[0]), "A token id or row lies outside of \(shape).")
    var y = Tensor(uninitialized: [T, D], dataType: type, on: table.device)
    switch y.device {
    case .cpu:
        unsafe ck_embedding_forward(
            T, D, tokens.pointer, table.kernelWeight, y.floats)
    case .cuda(let cuda):
        cuda.embeddingForward(tokens, table, y: y)
    }
    guard let tape, let node = table.node else { return y }
    tape.record(&y) { dy in
        node.accumulateFromZero(shape: shape) { dtable in
            switch dy.device {
            case .cpu:
                unsafe ck_embedding_backward(T, D, tokens.pointer, dy.floats, dtable.floats)
            case .cuda(let cuda):
                cuda.embeddingBackward(dy: dy, tokens.occurrences, dtable: dtable)
            }
        }
    }
    return y
}
