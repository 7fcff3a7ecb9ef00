/// The spelling of every token of a vocabulary, by id and back.
///
/// Ids may have gaps. A spelling is bytes: for a byte-level vocabulary the characters that stand
/// for bytes, as the file has them.
struct TokenTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where the token of each id lies in `bytes`; -1 for an id without a token.
    private var starts: [Int32] = []
    private var ends: [Int32] = []
    /// An open-addressed table of ids; -1 is a free slot.
    private var slots: [Int32] = []
    private var shift: UInt64 = 64
    private(set) var count = 0

    /// A table with room for so many tokens.
    init(capacity: Int) {
        grow(toHold: capacity)
        bytes.reserveCapacity(capacity * 8)
        starts.reserveCapacity(capacity)
        ends.reserveCapacity(capacity)
    }

    /// One more than the highest id.
    var upperBound: Int { starts.count }

    /// Gives `id` the spelling `text[start..<end]`; false when the id or the spelling is taken.
    mutating func insert(_ id: Int, _ text: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        if id >= starts.count {
            let missing = id + 1 - starts.count
            starts.append(contentsOf: repeatElement(-1, count: missing))
            ends.append(contentsOf: repeatElement(-1, count: missing))
        }
        guard starts[id] < 0 else { return false }
        if (count + 1) * 2 > slots.count { grow(toHold: count * 2 + 2) }
        let slot = self.slot(text, start, end)
        guard slots[slot] < 0 else { return false }
        starts[id] = Int32(bytes.count)
        for offset in start..<end { bytes.append(text[offset]) }
        ends[id] = Int32(bytes.count)
        slots[slot] = Int32(id)
        count += 1
        return true
    }

    /// The id of the token spelled `text[start..<end]`, or nil.
    @inline(__always)
    func id(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int32? {
        let id = slots[slot(text, start, end)]
        return id < 0 ? nil : id
    }

    /// The id of the token with this spelling, or nil.
    func id(of token: String) -> Int32? {
        let text = Array(token.utf8)
        return id(text.span, 0, text.count)
    }

    /// The spelling of a token, or nil for an id without one.
    func spelling(of id: Int) -> ArraySlice<UInt8>? {
        guard starts.indices.contains(id), starts[id] >= 0 else { return nil }
        return bytes[Int(starts[id])..<Int(ends[id])]
    }

    /// The slot that holds the token with this spelling, or the free one where it belongs.
    @inline(__always)
    private func slot(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        var slot = Int(hashOfBytes(text, start, end) >> shift)
        let mask = slots.count - 1
        while true {
            let id = slots[slot]
            if id < 0 { return slot }
            let candidate = Int(starts[Int(id)])
            if Int(ends[Int(id)]) - candidate == end - start,
                equalBytes(bytes.span, candidate, text, start, count: end - start)
            {
                return slot
            }
            slot = (slot + 1) & mask
        }
    }

    private mutating func grow(toHold capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: -1, count: size)
        shift = UInt64(64 - size.trailingZeroBitCount)
        for id in starts.indices where starts[id] >= 0 {
            slots[slot(bytes.span, Int(starts[id]), Int(ends[id]))] = Int32(id)
        }
    }
}
