extension CUDADevice {
    /// `y = silu(gate) * up`; all of one type, `y` may be either of the others.
    func swiGLUForward(gate: Tensor, up: Tensor, y: Tensor) {
        precondition(gate.count == up.count && gate.count == y.count)
        precondition(gate.dataType == up.dataType && gate.dataType == y.dataType)
        launchFlat(
            "swiglu_forward_\(y.dataType.kernelSuffix)", of: .swiGLU, count: y.count,
            width: Self.packWidth(y.dataType), .tensor(gate), .tensor(up), .tensor(y))
    }

    /// `dgate` and `dup` receive the gradients; all of one type, either may be one of the others.
    func swiGLUBackward(dy: Tensor, gate: Tensor, up: Tensor, dgate: Tensor, dup: Tensor) {
        let tensors = [gate, up, dgate, dup]
        precondition(tensors.allSatisfy { $0.count == dy.count && $0.dataType == dy.dataType })
        launchFlat(
            "swiglu_backward_\(dy.dataType.kernelSuffix)", of: .swiGLU, count: dy.count,
            width: Self.packWidth(dy.dataType),
            .tensor(dy), .tensor(gate), .tensor(up), .tensor(dgate), .tensor(dup))
    }
}
