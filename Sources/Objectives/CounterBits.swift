/// 64 bits that depend on a seed and a counter only, evenly spread (SplitMix64's finaliser,
/// https://doi.org/10.1145/2660193.2660195): the choices made with them need no state.
@inline(__always)
func counterBits(_ seed: UInt64, _ counter: Int) -> UInt64 {
    var bits = seed &+ (UInt64(truncatingIfNeeded: counter) &+ 1) &* 0x9E37_79B9_7F4A_7C15
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
}

/// A number at least 0 and below 1 that depends on a seed and a counter only: their upper 53 bits.
@inline(__always)
func counterUniform(_ seed: UInt64, _ counter: Int) -> Double {
    Double(counterBits(seed, counter) >> 11) * 0x1p-53
}
