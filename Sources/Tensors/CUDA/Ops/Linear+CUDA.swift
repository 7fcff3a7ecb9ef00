extension CUDADevice {
    /// `dbias += ` the sums of the columns of `dy`.
    ///
    /// - Parameters:
    ///   - dy: `[T, N]`.
    ///   - dbias: `[N]`, f32.
    func linearBackwardBias(dy: Tensor, dbias: Tensor) {
        let (T, N) = (dy.rows, dy.columns)
        precondition(dbias.count == N && dbias.dataType == .float32)
        guard T > 0 else { return }
        launch(
            "linear_backward_bias_\(dy.dataType.kernelSuffix)", of: .linear,
            grid: ((N + 31) / 32, 1, 1), block: 1024,
            .long(T), .long(N), .tensor(dy), .tensor(dbias))
    }

    /// `y += bias` in some columns of each row.
    ///
    /// - Parameters:
    ///   - bias: `[N]`, of the type of `y`.
    ///   - y: `[T, N]`.
    func linearAddBias(_ bias: Tensor, to y: Tensor, columns: Range<Int>) {
        launch(
            "linear_add_bias_\(y.dataType.kernelSuffix)", of: .linear,
            grid: ((y.rows * columns.count + 255) / 256, 1, 1), block: 256,
            .long(y.rows), .long(y.columns), .long(columns.lowerBound), .long(columns.count),
            .tensor(bias), .tensor(y))
    }
}
