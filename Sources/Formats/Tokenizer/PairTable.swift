/// The merges of a byte-pair vocabulary: two neighbouring token ids to a rank and a merged id.
///
/// Open addressing over one flat array, key and value side by side: a look-up touches one line of
/// memory, and encoding is made of look-ups.
struct PairTable: Sendable {
    /// Stands for "these two do not merge"; greater than any merge, so the least value merges first.
    static let none = UInt64.max

    private var slots: [UInt64]
    private var shift: UInt64
    private(set) var count = 0

    /// A table with room for so many merges; it grows when it must.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: Self.none, count: size * 2)
        shift = UInt64(64 - size.trailingZeroBitCount)
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Adds a merge. Of two merges of the same pair the later one counts.
    mutating func insert(_ left: Int32, _ right: Int32, rank: Int, merged: Int32) {
        if (count + 1) * 4 > slots.count { grow() }
        insert(Self.key(left, right), UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged)))
    }

    private mutating func insert(_ key: UInt64, _ value: UInt64) {
        let mask = slots.count - 1
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> shift) * 2
        while slots[slot] != Self.none, slots[slot] != key { slot = (slot + 2) & mask }
        if slots[slot] == Self.none { count += 1 }
        slots[slot] = key
        slots[slot + 1] = value
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Self.none, count: old.count * 2)
        shift -= 1
        count = 0
        for slot in stride(from: 0, to: old.count, by: 2) where old[slot] != Self.none {
            insert(old[slot], old[slot + 1])
        }
    }

    /// The rank (high half) and the merged id (low half) of a pair, or `none`.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> UInt64 {
        let key = Self.key(left, right)
        let mask = slots.count - 1
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> shift) * 2
        while true {
            let found = slots[slot]
            if found == key { return slots[slot + 1] }
            if found == Self.none { return Self.none }
            slot = (slot + 2) & mask
        }
    }
}
