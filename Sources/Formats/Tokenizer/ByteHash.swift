/// A quick hash of some bytes for the tables of this folder; it is not seeded and not for
/// anything an attacker may choose to fill a table with but their own text.
@inline(__always)
func hashOfBytes(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for offset in start..<end {
        hash = (hash ^ UInt64(bytes[offset])) &* 0x100_0000_01B3
    }
    // FNV-1a leaves the high bits of short input poor; the tables index by them.
    return (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
}

/// Whether two stretches of bytes of the same length are equal.
@inline(__always)
func equalBytes(
    _ left: Span<UInt8>, _ leftStart: Int, _ right: Span<UInt8>, _ rightStart: Int, count: Int
) -> Bool {
    for offset in 0..<count where left[leftStart + offset] != right[rightStart + offset] {
        return false
    }
    return true
}
