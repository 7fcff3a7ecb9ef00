import CKernels
import Synchronization

/// What a kernel runs under: how many threads and which instruction set.
struct KernelConditions: CustomStringConvertible {
    let threads: Int32
    let isa: ck_isa

    var description: String { "threads \(threads), instruction set \(isa.rawValue)" }

    /// One test at a time may change the process-wide settings.
    private static let turn = Mutex(())

    /// Calls `body` under 1, 2 and 3 threads with every instruction set this machine has.
    static func forEach(_ body: (KernelConditions) throws -> Void) rethrows {
        try turn.withLock { _ in
            let threads = ck_threads()
            defer {
                ck_set_threads(threads)
                _ = ck_isa_limit(ck_isa_detected())
            }
            for isa in [CK_ISA_PORTABLE, CK_ISA_AVX2, CK_ISA_AVX512]
            where isa.rawValue <= ck_isa_detected().rawValue {
                _ = ck_isa_limit(isa)
                for threads: Int32 in 1...3 {
                    ck_set_threads(threads)
                    try body(KernelConditions(threads: threads, isa: isa))
                }
            }
        }
    }

    /// Calls `body` under the settings as they are, while no other test changes them.
    static func unchanged(_ body: () throws -> Void) rethrows {
        try turn.withLock { _ in try body() }
    }
}

/// A sequence of numbers that is the same in every run (splitmix64).
struct RandomNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    mutating func uniform() -> Float { Float(bits() >> 40) * 0x1p-24 }

    /// Uniform in 0..<bound.
    mutating func integer(below bound: Int) -> Int { Int(bits() % UInt64(bound)) }

    /// Roughly normal: mean 0, standard deviation `scale`.
    mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in
            scale * 1.732 * (uniform() + uniform() + uniform() + uniform() - 2)
        }
    }
}

/// The largest |actual - expected| as a share of the largest |expected|, or of `size` if that is
/// larger; NaN if any actual is NaN.
func worstError(_ actual: [Float], _ expected: [Double], size: Double = 0) -> Double {
    guard actual.count == expected.count else { return .infinity }
    var largest = max(size, .leastNormalMagnitude), worst = 0.0
    for (a, e) in zip(actual, expected) {
        largest = max(largest, abs(e))
        let error = abs(Double(a) - e)
        worst = error.isNaN ? .nan : (worst.isNaN ? worst : max(worst, error))
    }
    return worst / largest
}

/// The bit patterns, so that equality means the same bits (NaN and -0 included).
func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
