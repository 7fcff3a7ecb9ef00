import CKernels

/// Root-mean-square normalisation (arXiv 1910.07467):
/// `y = x / sqrt(mean(x²) + epsilon) * weight` over the last dimension.
///
/// - Parameters:
///   - x: `[..., D]`, f32. With `[T, H, D]` each head is normalised alone.
///   - weight: `[D]`, of any type.
/// - Returns: the shape of `x`.
package func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float, _ tape: Tape?) -> Tensor {
    let (T, D) = (x.rows, x.columns)
    precondition(weight.count == D, "A weight \(weight.shape) cannot scale \(x.shape).")
    func forward(_ rstd: Tensor? = nil) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        unsafe ck_rms_norm_forward(
            T, D, x.floats, weight.bytes, weight.dataType.kernelType, epsilon, y.floats,
            rstd?.floats)
        return y
    }
    guard let tape, x.node != nil || weight.node != nil else { return forward() }
    let rstd = Tensor(uninitialized: [T])
    var y = forward(rstd)
    tape.record(&y, again: { forward() }) { dy in
        func backward(into dx: Tensor, _ dweight: Tensor?) {
            unsafe ck_rms_norm_backward(
                T, D, dy.floats, x.floats, rstd.floats, weight.bytes, weight.dataType.kernelType,
                dx.floats, dweight?.floats)
        }
        let dx = x.node ?? GradientNode()
        dx.accumulateFromZero(shape: x.shape) { dx in
            guard let node = weight.node else { return backward(into: dx, nil) }
            node.accumulateFromZero(shape: [D]) { backward(into: dx, $0) }
        }
    }
    return y
}
