import CKernels

/// The gated activation `silu(gate) * up` (arXiv 2002.05202).
///
/// - Parameters:
///   - gate: `[T, F]`; `up`: the same.
/// - Returns: `[T, F]`.
package func swiGLU(gate: Tensor, up: Tensor, _ tape: Tape?) -> Tensor {
    let n = gate.count
    precondition(up.count == n, "The gate \(gate.shape) and up \(up.shape) differ.")
    func forward() -> Tensor {
        let y = Tensor(uninitialized: gate.shape, dataType: gate.dataType, on: gate.device)
        switch gate.device {
        case .cpu: unsafe ck_swiglu_forward(n, gate.floats, up.floats, y.floats)
        case .cuda(let cuda): cuda.swiGLUForward(gate: gate, up: up, y: y)
        }
        return y
    }
    var y = forward()
    guard let tape, gate.node != nil || up.node != nil else { return y }
    tape.record(&y, again: forward) { dy in
        let dgate = Tensor(uninitialized: gate.shape, dataType: dy.dataType, on: dy.device)
        let dup = Tensor(uninitialized: up.shape, dataType: dy.dataType, on: dy.device)
        switch dy.device {
        case .cpu:
            unsafe ck_swiglu_backward(
                n, dy.floats, gate.floats, up.floats, dgate.floats, dup.floats)
        case .cuda(let cuda):
            cuda.swiGLUBackward(dy: dy, gate: gate, up: up, dgate: dgate, dup: dup)
        }
        gate.node?.add(dgate)
        up.node?.add(dup)
    }
    return y
}
