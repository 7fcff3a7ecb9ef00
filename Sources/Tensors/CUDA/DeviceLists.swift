/// Lists of 32-bit integers that lie on a device one after another, always at the same place, and go
/// there together in one copy: what changes from one launch of a graph to the next.
package final class DeviceLists {
    /// In turns, so that one is written while the device still reads the other.
    private var buffers: [PinnedBuffer]
    /// The values that were sent last.
    private let words: Storage
    private let copy: Storage
    private let places: [Range<Int>]

    /// Lists of these lengths, whose content is undefined.
    package init(counts: [Int], on cuda: CUDADevice) {
        var places: [Range<Int>] = []
        for count in counts {
            let start = places.last?.upperBound ?? 0
            places.append(start..<start + count)
        }
        let byteCount = max(4, 4 * (places.last?.upperBound ?? 0))
        self.places = places
        buffers = (0..<2).map { _ in PinnedBuffer(byteCount: byteCount, for: cuda) }
        words = Storage(byteCount: byteCount, on: .cpu)
        copy = Storage(byteCount: byteCount, on: .cuda(cuda))
    }

    /// A list, or a part of it, as kernels read it: a view of the values that are there then.
    ///
    /// - Parameter limit: all values that will ever be read here are below it. Only negative ones
    ///   that a kernel takes for none may be outside of 0 ..< limit.
    package func list(
        _ index: Int, _ part: Range<Int>? = nil, below limit: Int
    ) -> TokenIndices {
        let whole = places[index]
        let part = part ?? 0..<whole.count
        precondition(part.lowerBound >= 0 && part.upperBound <= whole.count)
        let start = whole.lowerBound + part.lowerBound
        return TokenIndices(
            words, onDevice: copy, places: start..<start + part.count, below: limit)
    }

    /// Sends the values of all lists, one after another, in one copy; what was launched before still
    /// reads the earlier ones.
    package func send(_ values: [Int32]) {
        let count = places.last?.upperBound ?? 0
        precondition(values.count == count, "\(values.count) values for lists of \(count).")
        unsafe values.withUnsafeBytes { source in
            guard let start = source.baseAddress, source.count > 0 else { return }
            unsafe words.base.copyMemory(from: start, byteCount: source.count)
        }
        let buffer = buffers.removeFirst()
        buffer.wait()
        buffer.write(values)
        buffer.send(4 * count, to: copy.deviceAddress)
        buffers.append(buffer)
    }
}
