extension CUDADevice {
    /// `y = a + b`, summed in f32; `y` is of the type of `a`, or of `b`, and may be that one.
    func add(_ a: Tensor, _ b: Tensor, y: Tensor) {
        precondition(a.count == b.count && a.count == y.count)
        guard a.dataType == y.dataType else { return add(b, a, y: y) }
        launchFlat(
            "add_\(a.dataType.kernelSuffix)_\(b.dataType.kernelSuffix)", of: .elementwise,
            count: y.count, width: Self.packWidth(a.dataType, b.dataType),
            .tensor(a), .tensor(b), .tensor(y))
    }

    /// `y = x` in y's type, rounded to nearest even where that is narrower.
    func convert(_ x: Tensor, y: Tensor) {
        precondition(x.count == y.count)
        guard x.dataType != y.dataType else {
            return copy(
                from: x.deviceAddress, to: y.deviceAddress, byteCount: y.count * y.dataType.size)
        }
        launchFlat(
            "convert_\(x.dataType.kernelSuffix)_\(y.dataType.kernelSuffix)", of: .elementwise,
            count: y.count, width: Self.packWidth(x.dataType, y.dataType), .tensor(x), .tensor(y))
    }

    /// Sets every element.
    func fill(_ y: Tensor, _ value: Float) {
        launchFlat(
            "fill_\(y.dataType.kernelSuffix)", of: .elementwise, count: y.count,
            width: Self.packWidth(y.dataType), .float(value), .tensor(y))
    }

    /// Multiplies every element of an f32 tensor.
    func scale(_ y: Tensor, by factor: Float) {
        precondition(y.dataType == .float32)
        launchFlat(
            "scale_f32", of: .elementwise, count: y.count, width: Self.packWidth(.float32),
            .float(factor), .tensor(y))
    }

    /// The sum of all squares of an f32 tensor, summed in f64; waits for it. The same bits at each
    /// call.
    func sumOfSquares(_ x: Tensor) -> Double {
        precondition(x.dataType == .float32)
        guard x.count > 0 else { return 0 }
        let (run, doubleSize) = (16_384, 8)
        let runs = (x.count + run - 1) / run
        // Numbers of f64 in a tensor of bytes twice as many as f32: the runs' sums, then the total.
        let sums = Tensor(uninitialized: [2 * (runs + 1)], on: .cuda(self))
        let total = sums.deviceAddress + UInt64(runs * doubleSize)
        launch(
            "sum_of_squares_partials", of: .elementwise, grid: (runs, 1, 1), block: 256,
            .long(x.count), .long(run), .tensor(x), .tensor(sums))
        launch(
            "sum_of_partials", of: .elementwise, grid: (1, 1, 1), block: 256,
            .long(runs), .tensor(sums), .address(total))
        var result = 0.0
        unsafe withUnsafeMutableBytes(of: &result) { unsafe download(total, into: $0) }
        return withExtendedLifetime(sums) { result }
    }
}
