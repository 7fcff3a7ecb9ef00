import CKernels

/// What this machine's processor can do, as its name says and as measured.
package enum Processor {
    /// The instruction set that the kernels use.
    package static var instructionSet: String {
        switch ck_isa_in_use() {
        case CK_ISA_AVX512: "AVX-512"
        case CK_ISA_AVX2: "AVX2"
        default: "portable"
        }
    }

    /// Runs `body` with the kernels that every processor can run, as far as this thread asks for them.
    package static func withPortableKernels<Result>(
        _ body: () throws -> Result
    ) rethrows -> Result {
        let own = ck_isa_in_use()
        _ = ck_isa_limit(CK_ISA_PORTABLE)
        defer { _ = ck_isa_limit(own) }
        return try body()
    }

    /// Floating-point operations a second that one core makes in registers: the best of some runs.
    package static func measuredPeak() -> Double {
        best(of: 5) {
            let start = ContinuousClock.now
            let operations = ck_measure_peak(20_000_000)
            return operations / seconds(since: start)
        }
    }

    /// Bytes a second that all threads together read from memory: the best of some runs.
    package static func measuredReadBandwidth() -> Double {
        let block = Tensor(zeros: [64 << 20])
        let bytes = block.count * 4
        return best(of: 5) {
            let start = ContinuousClock.now
            _ = unsafe ck_measure_read(block.bytes, bytes)
            return Double(bytes) / seconds(since: start)
        }
    }

    /// Floating-point operations a second of `x Wᵀ` with a weight of `type`: the best of some runs.
    ///
    /// - Parameters:
    ///   - rows: T, the tokens at once.
    ///   - shape: `[N, K]` of the weight.
    package static func measuredLinear(rows: Int, shape: [Int], type: DataType) -> Double {
        let x = Tensor(zeros: [rows, shape[1]])
        x.fill(0.5)
        let weight = Tensor(zeros: shape).converted(to: type)
        let operations = 2.0 * Double(rows * shape[0] * shape[1])
        return best(of: 5) {
            let start = ContinuousClock.now
            _ = linear(x, weight, nil)
            return operations / seconds(since: start)
        }
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let duration = (ContinuousClock.now - start).components
        return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    }

    private static func best(of runs: Int, _ measure: () -> Double) -> Double {
        (0..<runs).reduce(0) { best, _ in max(best, measure()) }
    }
}
