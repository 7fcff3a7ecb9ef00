/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): random
/// numbers as a pure function of a key and a counter.
///
/// What a request draws depends on (seed, request, position) alone, not on what shares its batch.
package struct CounterRandom: Sendable {
    private let key: (UInt32, UInt32)

    /// A stream family for `seed`.
    package init(seed: UInt64) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    }

    /// Four random words for the counter (`stream`, `position`).
    package func words(stream: UInt64, position: UInt64) -> SIMD4<UInt32> {
        var x = SIMD4<UInt32>(
            UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32),
            UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
        var (k0, k1) = key
        for _ in 0..<10 {
            let p0 = UInt64(0xD251_1F53) * UInt64(x.x)
            let p1 = UInt64(0xCD9E_8D57) * UInt64(x.z)
            x = SIMD4(
                UInt32(truncatingIfNeeded: p1 >> 32) ^ x.y ^ k0, UInt32(truncatingIfNeeded: p1),
                UInt32(truncatingIfNeeded: p0 >> 32) ^ x.w ^ k1, UInt32(truncatingIfNeeded: p0))
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return x
    }

    /// A uniform number in [0, 1).
    package func uniform(stream: UInt64, position: UInt64) -> Float {
        Self.unitInterval(words(stream: stream, position: position).x)
    }

    /// The upper 24 bits as a number in [0, 1).
    package static func unitInterval(_ word: UInt32) -> Float {
        Float(word >> 8) * 0x1p-24
    }
}
