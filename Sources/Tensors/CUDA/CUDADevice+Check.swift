extension CUDADevice {
    /// Computes something small: a kernel, a product, a copy to the host. A device that opens may
    /// still have a compiler or a library that does not fit it, and nobody wants to meet that in the
    /// middle of a run.
    ///
    /// - Throws: `CUDAError` that says what failed.
    package func check() throws(CUDAError) {
        let side = 32
        let byteCount = side * side * DataType.float32.size
        var buffers: [UInt64] = []
        defer { for buffer in buffers { pool.release(buffer) } }
        for value: Float in [1, 2, 0] {
            let buffer = try pool.tryAllocate(byteCount: byteCount, for: .workspace)
            buffers.append(buffer)
            try tryLaunch(
                "fill_f32", of: KernelFile.elementwise.name, grid: (1, 1, 1), block: 256,
                sharedBytes: 0, [.long(side * side), .float(value), .address(buffer)])
        }
        let kind = MatrixProducts.Kind(
            M: side, N: side, K: side, isATransposed: false, isBTransposed: true,
            inputType: .float32, outputType: .float32, hasBias: false, resultStride: side,
            alignments: [256, 256, 256])
        _ = try products.multiply(
            kind, a: buffers[0], b: buffers[1], d: buffers[2], bias: nil, scale: 1, addend: 0)
        try trySynchronize()
        var found = [Float](repeating: 0, count: side * side)
        unsafe found.withUnsafeMutableBytes { unsafe download(buffers[2], into: $0) }
        guard found.allSatisfy({ $0 == 2 * Float(side) }) else {
            throw CUDAError("\(properties.name) computes wrong: a product of ones and twos.")
        }
    }
}
