extension CUDADevice {
    /// Turns each pair (i, i + D/2) of every head by the angle of its token's position.
    ///
    /// - Parameters:
    ///   - x: `[T, H, D]`; `y`: the same, or `x` itself.
    ///   - cosines: `[P, D/2]`, f32; `sines`: the same.
    ///   - inverse: turns back, which is the backward pass.
    func rotary(
        _ x: Tensor, positions: TokenIndices, cosines: Tensor, sines: Tensor,
        headDimension D: Int, inverse: Bool, y: Tensor
    ) {
        let T = positions.count
        guard x.count > 0 else { return }
        let H = x.count / (T * D)
        precondition(T * H * D == x.count && y.count == x.count && y.dataType == x.dataType)
        precondition(x.count / 2 <= Int(UInt32.max), "\(x.shape) is too large to turn at once.")
        let (threads, width) = (256, Self.packWidth(x.dataType))
        let blocks = (x.count / 2 + threads * width - 1) / (threads * width)
        launch(
            "rotary_\(x.dataType.kernelSuffix)", of: .rotary, grid: (blocks, 1, 1),
            block: threads,
            .long(T), .long(H), .long(D), .tensor(x), .indices(positions), .tensor(cosines),
            .tensor(sines), .int(inverse ? 1 : 0), .tensor(y))
    }
}
