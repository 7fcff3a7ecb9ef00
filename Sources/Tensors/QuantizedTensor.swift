import CKernels

/// A frozen matrix `[N, K]` whose elements are codes of 8 or 4 bits with a scale for each group of
/// 64 along K; `weight.h` gives the layout.
package struct QuantizedTensor {
    /// `[N, K]`
    package let shape: [Int]
    package let kind: Quantization
    private let words: Storage
    private let scales: Storage

    /// Bytes of the codes of a matrix.
    package static func wordByteCount(_ shape: [Int], _ kind: Quantization) -> Int {
        ck_quantized_bytes(shape[0], shape[1], kind.kernelType)
    }

    /// Bytes of the scales, f32, of a matrix.
    package static func scaleByteCount(_ shape: [Int]) -> Int {
        ck_quantized_scales(shape[0], shape[1]) * 4
    }

    /// A matrix over codes and scales as `withWordBytes` and `withScaleBytes` gave them, often
    /// borrowed from a mapped file. Both storages begin on a multiple of 4 and have at least the
    /// sizes of `wordByteCount` and `scaleByteCount`.
    package init(shape: [Int], kind: Quantization, words: Storage, scales: Storage) {
        precondition(shape.count == 2 && shape.allSatisfy { $0 > 0 }, "\(shape) is no matrix.")
        precondition(words.device == scales.device, "Codes and scales lie apart.")
        precondition(
            words.byteCount >= Self.wordByteCount(shape, kind)
                && scales.byteCount >= Self.scaleByteCount(shape),
            "A quantised \(shape) does not fit its storage.")
        self.shape = shape
        self.kind = kind
        self.words = words
        self.scales = scales
    }

    /// Quantises a matrix of any type, on all threads; `nil` when an element is not finite or its
    /// size is 2^60 or more.
    ///
    /// A scale is the group's largest size over 127 for int8, that size itself for nf4, and for
    /// int4 the one of several that gives the least squared error.
    package init?(quantizing tensor: Tensor, as kind: Quantization) {
        let shape = tensor.shape
        precondition(shape.count == 2 && shape.allSatisfy { $0 > 0 }, "\(shape) is no matrix.")
        let tensor = tensor.moved(to: .cpu)
        let words = Storage(byteCount: Self.wordByteCount(shape, kind))
        let scales = Storage(byteCount: Self.scaleByteCount(shape))
        let isFinite = unsafe ck_quantize(
            shape[0], shape[1], tensor.bytes, tensor.dataType.kernelType, kind.kernelType,
            words.base.assumingMemoryBound(to: UInt32.self),
            scales.base.assumingMemoryBound(to: Float.self))
        withExtendedLifetime(tensor) {}
        guard isFinite != 0 else { return nil }
        self.init(shape: shape, kind: kind, words: words, scales: scales)
    }

    /// Bytes of codes and scales.
    package var byteCount: Int {
        Self.wordByteCount(shape, kind) + Self.scaleByteCount(shape)
    }

    /// Where codes and scales lie.
    package var device: Device { words.device }

    /// The same matrix on `device`: this one where it is there already, else a copy.
    package func moved(to device: Device) -> QuantizedTensor {
        guard device != self.device else { return self }
        return QuantizedTensor(
            shape: shape, kind: kind, words: wordTensor.moved(to: device).storage,
            scales: scaleTensor.moved(to: device).storage)
    }

    /// The codes as words of 32 bits; as f32 to be copied only.
    private var wordTensor: Tensor {
        Tensor(storage: words, shape: [Self.wordByteCount(shape, kind) / 4])
    }

    private var scaleTensor: Tensor {
        Tensor(storage: scales, shape: [Self.scaleByteCount(shape) / 4])
    }

    /// The first word of the codes on a device.
    var wordsAddress: UInt64 { words.deviceAddress }
    /// The first scale on a device.
    var scalesAddress: UInt64 { scales.deviceAddress }

    /// What the codes stand for, f32.
    package func dequantized() -> Tensor {
        let result = Tensor(uninitialized: shape, on: device)
        switch device {
        case .cpu: unsafe ck_weight_rows(shape[0], shape[1], kernelWeight, 0, result.floats)
        case .cuda(let cuda):
            cuda.dequantize(self, rows: 0..<shape[0], columns: 0..<shape[1], y: result)
        }
        return result
    }

    /// Calls `body` with the codes as they are stored.
    package func withWordBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try wordTensor.withBytes(body)
    }

    /// Calls `body` with the scales, f32, as they are stored.
    package func withScaleBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try scaleTensor.withBytes(body)
    }

    /// The same in the kernels' words; valid while this value lives.
    var kernelWeight: ck_weight {
        unsafe ck_weight(
            data: words.base, dtype: kind.kernelType,
            scales: scales.base.assumingMemoryBound(to: Float.self))
    }
}
