extension CUDADevice {
    /// Bytes a second that a copy on the device reads and writes: the best of some runs.
    ///
    /// - Throws: `CUDAError` when the device has no room for the two buffers.
    package func measuredCopyBandwidth(
        byteCount: Int = 256 << 20
    ) throws(CUDAError) -> Double {
        let source = try pool.tryAllocate(byteCount: byteCount, for: .workspace)
        defer { pool.release(source) }
        let target = try pool.tryAllocate(byteCount: byteCount, for: .workspace)
        defer { pool.release(target) }
        zero(source, byteCount: byteCount)
        return best { copy(from: source, to: target, byteCount: byteCount) } * 2
            * Double(byteCount)
    }

    /// Operations a second of a product of two bf16 matrices `[size, size]` into a third: the best
    /// of some runs. The matrices hold numbers like those of a model, since zeros are multiplied
    /// faster.
    ///
    /// - Throws: `CUDAError` when the device has no room for them.
    package func measuredMatrixRate(size: Int = 8192) throws(CUDAError) -> Double {
        let byteCount = size * size * DataType.bfloat16.size
        let values = try pool.tryAllocate(byteCount: byteCount, for: .workspace)
        defer { pool.release(values) }
        let product = try pool.tryAllocate(byteCount: byteCount, for: .workspace)
        defer { pool.release(product) }
        var word: UInt32 = 1
        let bits = (0..<size * size).map { _ in
            // Signs and fractions at random, sizes from 2⁻² to 2².
            word = word &* 1_664_525 &+ 1_013_904_223
            let exponent = UInt16(125 + (word >> 16) % 4) << 7
            return UInt16(word >> 31) << 15 | exponent | UInt16(word >> 20) % 128
        }
        unsafe bits.withUnsafeBytes { unsafe upload($0, to: values) }
        let kind = MatrixProducts.Kind(
            M: size, N: size, K: size, isATransposed: false, isBTransposed: true,
            inputType: .bfloat16, outputType: .bfloat16, hasBias: false, resultStride: size,
            alignments: [256, 256, 256])
        let operations = 2 * Double(size) * Double(size) * Double(size)
        return operations
            * best {
                orEnd { () throws(CUDAError) in
                    try driver.enter()
                    _ = try products.multiply(
                        kind, a: values, b: values, d: product, bias: nil, scale: 1, addend: 0)
                }
            }
    }

    /// Runs a second of `body`, the best of some after a first.
    private func best(_ body: () -> Void) -> Double {
        body()
        return (0..<5).reduce(0) { best, _ in max(best, 1 / max(1e-9, seconds(body))) }
    }
}
