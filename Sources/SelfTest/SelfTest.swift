package import Tensors

/// Holds every op and the whole step of a device against the host's, with numbers and models made
/// on the spot: it reads no files.
///
/// The host itself can be the device: its kernels are then held against those that every processor
/// can run.
package struct SelfTest {
    private let bench: Bench

    /// - Parameter sizes: `full` for a real device.
    package init(_ device: Device, sizes: SelfTestSizes) {
        bench = Bench(device: device, sizes: sizes)
    }

    /// Names of all checks, as `run` chooses from them.
    package var checkNames: [String] { checks.map(\.fullName) }

    private var checks: [Check] {
        let ops = [
            bench.elementwiseChecks, bench.normChecks, bench.rotaryChecks, bench.swiGLUChecks,
            bench.embeddingChecks, bench.linearChecks, bench.quantizedLinearChecks,
            bench.adapterBatchChecks, bench.attentionChecks, bench.pagedAttentionChecks,
            bench.headChecks, bench.samplingChecks, bench.adamWChecks,
        ]
        let models = [
            bench.modelChecks, bench.rolloutChecks, bench.stepChecks, bench.memoryChecks,
        ]
        return (ops + models).flatMap { $0 }
    }

    /// Runs all checks whose name contains `pattern`, in their order.
    ///
    /// - Parameters:
    ///   - pattern: any case; nil for all.
    ///   - write: is given text as it comes: a check's name before it runs, so that one that ends
    ///     the process is known, and then what came of it.
    package func run(
        only pattern: String? = nil, write: (String) -> Void
    ) -> SelfTestReport {
        var outcomes: [CheckOutcome] = []
        for check in checks where check.isMeant(by: pattern) {
            write("\(check.fullName) ... ")
            let outcome = check.outcome()
            write("\(outcome.verdict) (\(tenths(outcome.seconds)) s)\n")
            for miss in outcome.measurements where !miss.passes {
                write("    \(miss.description)\n")
            }
            outcomes.append(outcome)
        }
        return SelfTestReport(outcomes: outcomes)
    }
}

extension Check {
    fileprivate func isMeant(by pattern: String?) -> Bool {
        pattern.map { fullName.lowercased().contains($0.lowercased()) } ?? true
    }

    /// Runs it; what it throws is a miss.
    fileprivate func outcome() -> CheckOutcome {
        let start = ContinuousClock.now
        let measurements: [Measurement]
        do {
            measurements = try run()
        } catch {
            measurements = [Measurement("run", holds: false, detail: "\(error)")]
        }
        let duration = (ContinuousClock.now - start).components
        return CheckOutcome(
            group: group, name: name, measurements: measurements,
            seconds: Double(duration.seconds) + Double(duration.attoseconds) * 1e-18)
    }
}

extension CheckOutcome {
    /// As in "ok, 3.1e-7 of 1.2e-5 in dx".
    fileprivate var verdict: String {
        guard let worst else { return "MISS, nothing was measured" }
        return "\(passes ? "ok" : "MISS"), \(scientific(worst.error)) of "
            + "\(scientific(worst.bound)) in \(worst.name)"
    }
}

/// As in "12.3".
func tenths(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}
