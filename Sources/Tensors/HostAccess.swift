#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reading and writing elements from Swift. What lies on a device is copied down and up for it,
/// which waits for the device.
extension Tensor {
    /// The elements as a plain array, row by row; an f16 or bf16 tensor is widened.
    package func toArray() -> [Float] {
        let source = moved(to: .cpu)
        let floats = dataType == .float32 ? source : source.converted(to: .float32)
        return withExtendedLifetime(floats) {
            unsafe Array(UnsafeBufferPointer(start: floats.floats, count: count))
        }
    }

    /// Overwrites an f32 tensor.
    package func copy(from values: [Float]) {
        precondition(dataType == .float32, "The tensor is not f32.")
        precondition(values.count == count, "\(values.count) values for \(shape).")
        unsafe values.withUnsafeBytes { unsafe write($0) }
    }

    /// Overwrites the elements with those of another tensor of the same type and count, wherever
    /// that lies.
    package func copy(from other: Tensor) {
        precondition(other.dataType == dataType, "The types differ.")
        precondition(other.count == count, "The shapes \(other.shape) and \(shape) differ.")
        guard count > 0 else { return }
        switch (device, other.device) {
        case (.cuda(let cuda), .cuda):
            precondition(device == other.device, "Two devices share no tensors.")
            storage.willWrite()
            cuda.copy(from: other.deviceAddress, to: deviceAddress, byteCount: byteCount)
        case (.cpu, .cuda(let cuda)):
            storage.willWrite()
            unsafe cuda.download(
                other.deviceAddress,
                into: UnsafeMutableRawBufferPointer(start: bytes, count: byteCount))
        case (_, .cpu):
            unsafe write(UnsafeRawBufferPointer(start: other.bytes, count: byteCount))
        }
    }

    /// Overwrites the elements with bytes as they are stored.
    package func copy(from source: RawSpan) {
        precondition(source.byteCount == byteCount, "The sizes differ.")
        unsafe source.withUnsafeBytes { unsafe write($0) }
    }

    /// Overwrites the elements with the host's bytes, as many as they take.
    private func write(_ source: UnsafeRawBufferPointer) {
        storage.willWrite()
        guard let start = source.baseAddress, source.count > 0 else { return }
        switch device {
        case .cpu: unsafe bytes.copyMemory(from: start, byteCount: source.count)
        case .cuda(let cuda): unsafe cuda.upload(source, to: deviceAddress)
        }
    }

    /// The same elements on `device`: this tensor where they are there already, else a copy
    /// without a gradient node.
    package func moved(to device: Device) -> Tensor {
        guard device != self.device else { return self }
        let result = Tensor(uninitialized: shape, dataType: dataType, on: device)
        result.copy(from: self)
        return result
    }

    /// Whether two tensors of one type hold the same bits.
    package func hasSameBytes(as other: Tensor) -> Bool {
        guard dataType == other.dataType, count == other.count else { return false }
        let (a, b) = (moved(to: .cpu), other.moved(to: .cpu))
        return withExtendedLifetime((a, b)) {
            unsafe memcmp(a.bytes, b.bytes, byteCount) == 0
        }
    }

    /// Sets every element; on the host, of an f32 tensor.
    package func fill(_ value: Float) {
        storage.willWrite()
        switch device {
        case .cpu: unsafe floats.update(repeating: value, count: count)
        case .cuda(let cuda): cuda.fill(self, value)
        }
    }

    /// Calls `body` with the elements of an f32 tensor for writing, row by row.
    package func withMutableFloats<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let host = moved(to: .cpu)
        defer { if !device.isHost { copy(from: host) } }
        storage.willWrite()
        var span = unsafe MutableSpan(_unsafeStart: host.floats, count: count)
        return try body(&span)
    }

    /// Calls `body` with the elements' bytes as they are stored.
    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let host = moved(to: .cpu)
        return try withExtendedLifetime(host) { () throws(Failure) in
            let span = unsafe RawSpan(_unsafeStart: host.bytes, byteCount: byteCount)
            return try body(span)
        }
    }
}
