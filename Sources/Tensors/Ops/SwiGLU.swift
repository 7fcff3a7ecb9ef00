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
        let y = Tensor(uninitialized: gate.shape)
        unsafe ck_swiglu_forward(n, gate.floats, up.floats, y.floats)
        return y
    }
    var y = forward()
    guard let tape, gate.node != nil || up.node != nil else { return y }
    tape.record(&y, again: forward) { dy in
        let dgate = Tensor(uninitialized: gate.shape)
        let dup = Tensor(uninitialized: up.shape)
        unsafe ck_swiglu_backward(
            n, dy.floats, gate.floats, up.floats, dgate.floats, dup.floats)
        gate.node?.add(dgate)
        up.node?.add(dup)
    }
    return y
}
