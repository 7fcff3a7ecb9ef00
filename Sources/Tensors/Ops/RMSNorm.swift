import CKernels

/// Root-mean-square normalisation (arXiv 1910.07467):
/// `y = x / sqrt(mean(x²) + epsilon) * weight` over the last dimension.
///
/// - Parameters:
///   - x: `[..., D]`. With `[T, H, D]` each head is normalised alone.
///   - weight: `[D]`, of any type.
/// - Returns: the shape of `x`; on a device, of the weight's type.
package func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float, _ tape: Tape?) -> Tensor {
    let (T, D) = (x.rows, x.columns)
    precondition(weight.count == D, "A weight \(weight.shape) cannot scale \(x.shape).")
    func forward(_ rstd: Tensor? = nil) -> Tensor {
        let type = x.device.isHost ? .float32 : weight.dataType
        let y = Tensor(uninitialized: x.shape, dataType: type, on: x.device)
        switch x.device {
        case .cpu:
            unsafe ck_rms_norm_forward(
                T, D, x.floats, weight.bytes, weight.dataType.kernelType, epsilon, y.floats,
                rstd?.floats)
        case .cuda(let cuda):
            cuda.rmsNormForward(x, weight, epsilon: epsilon, y: y, rstd: rstd)
        }
        return y
    }
    guard let tape, x.node != nil || weight.node != nil else { return forward() }
    let rstd = Tensor(uninitialized: [T], on: x.device)
    var y = forward(rstd)
    tape.record(&y, again: { forward() }) { dy in
        func backward(into dx: Tensor, isFirst: Bool, _ dweight: Tensor?) {
            switch x.device {
            case .cpu:
                if isFirst { dx.fill(0) }
                unsafe ck_rms_norm_backward(
                    T, D, dy.floats, x.floats, rstd.floats, weight.bytes,
                    weight.dataType.kernelType, dx.floats, dweight?.floats)
            case .cuda(let cuda):
                cuda.rmsNormBackward(
                    dy: dy, x: x, rstd: rstd, weight, dx: dx, accumulate: !isFirst,
                    dweight: dweight)
            }
        }
        let dx = x.node ?? GradientNode(of: x)
        dx.accumulate(shape: x.shape) { dx, isFirst in
            guard let node = weight.node else { return backward(into: dx, isFirst: isFirst, nil) }
            node.accumulateFromZero(shape: [D]) { backward(into: dx, isFirst: isFirst, $0) }
        }
    }
    return y
}
