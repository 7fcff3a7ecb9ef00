/// The threads that share a row of a norm, and the blocks that they make for all rows.
private struct RowLaunch {
    /// Rows up to this length are one warp's.
    static let longestOfWarp = 1024
    let block = 256
    let rowThreads: Int
    let grid: CUDADevice.Grid

    init(rows: Int, columns: Int) {
        rowThreads = columns <= Self.longestOfWarp ? 32 : block
        let rowsABlock = block / rowThreads
        grid = ((rows + rowsABlock - 1) / rowsABlock, 1, 1)
    }
}

extension CUDADevice {
    /// `y = x r weight` with `r = 1 / sqrt(mean x² + epsilon)` of each row.
    ///
    /// - Parameters:
    ///   - x: `[..., D]`, f32 or of y's type.
    ///   - weight: `[D]`, of y's type.
    ///   - rstd: `[T]`, f32, receives `r`.
    func rmsNormForward(
        _ x: Tensor, _ weight: Tensor, epsilon: Float, y: Tensor, rstd: Tensor?
    ) {
        let (T, D) = (x.rows, x.columns)
        precondition(y.count == x.count && weight.count == D && weight.dataType == y.dataType)
        let rows = RowLaunch(rows: T, columns: D)
        launch(
            "rms_norm_forward_\(x.dataType.kernelSuffix)_\(y.dataType.kernelSuffix)",
            of: .rmsNorm, grid: rows.grid, block: rows.block,
            .long(T), .long(D), .tensor(x), .tensor(weight), .float(epsilon), .tensor(y),
            .optional(rstd), .int(Int32(rows.rowThreads)))
    }

    /// The gradients of `rmsNormForward`.
    ///
    /// - Parameters:
    ///   - dy: `[..., D]`, of the weight's type.
    ///   - x: `[..., D]`, f32 or of that type.
    ///   - dx: of x's type, receives or has added.
    ///   - dweight: `[D]`, f32, has added.
    func rmsNormBackward(
        dy: Tensor, x: Tensor, rstd: Tensor, _ weight: Tensor, dx: Tensor, accumulate: Bool,
        dweight: Tensor?
    ) {
        let (T, D) = (x.rows, x.columns)
        precondition(dy.count == x.count && dx.count == x.count && rstd.count == T)
        precondition(dy.dataType == weight.dataType && dx.dataType == x.dataType)
        let suffix = "\(x.dataType.kernelSuffix)_\(dy.dataType.kernelSuffix)"
        let rows = RowLaunch(rows: T, columns: D)
        launch(
            "rms_norm_backward_\(suffix)", of: .rmsNorm, grid: rows.grid, block: rows.block,
            .long(T), .long(D), .tensor(dy), .tensor(x), .tensor(rstd), .tensor(weight),
            .tensor(dx), .int(accumulate ? 1 : 0), .int(Int32(rows.rowThreads)))
        guard let dweight, T > 0 else { return }
        precondition(dweight.count == D && dweight.dataType == .float32)
        // A run of rows that depends on T alone: so do the sums. A thread sums a run, then one
        // sums all runs of a column: there are 1024 at most, of which heads' norms have many.
        let run = max(32, (T + 1023) / 1024)
        let runs = (T + run - 1) / run
        let partials = Tensor(uninitialized: [runs, D], on: .cuda(self))
        let columnThreads = 128
        let columnBlocks = (D + columnThreads - 1) / columnThreads
        launch(
            "rms_norm_weight_partials_\(suffix)", of: .rmsNorm, grid: (columnBlocks, runs, 1),
            block: columnThreads,
            .long(T), .long(D), .long(run), .tensor(dy), .tensor(x), .tensor(rstd),
            .tensor(partials))
        launch(
            "rms_norm_weight_sum", of: .rmsNorm, grid: (columnBlocks, 1, 1), block: columnThreads,
            .long(runs), .long(D), .tensor(partials), .tensor(dweight))
    }
}
