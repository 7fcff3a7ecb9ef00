/// One condition that tokens must meet to be learned from (`rollout_rs`).
package struct RejectionRule: Sendable, Equatable {
    /// What is measured over.
    package enum Scope: String, CaseIterable, Sendable {
        /// Each token by itself.
        case token
        /// The sum over a sequence.
        case sequenceSum = "seq_sum"
        /// The mean over a sequence.
        case sequenceMean = "seq_mean"
        /// The largest of a sequence.
        case sequenceMax = "seq_max"
    }

    /// What is measured, of d = log old - log rollout within +-20.
    package enum Divergence: String, CaseIterable, Sendable {
        /// -d, bounded on both sides.
        case k1
        /// d^2 / 2.
        case k2
        /// exp(d) - 1 - d.
        case k3
    }

    /// Over what.
    package let scope: Scope
    /// Of what.
    package let divergence: Divergence
    /// The least value that passes; only k1 has one.
    package let lower: Double?
    /// The largest value that passes.
    package let upper: Double

    /// verl's name: "token_k1", "seq_mean_k3"...
    package var name: String { "\(scope.rawValue)_\(divergence.rawValue)" }

    /// Every name; the largest k1 of a sequence bounds nothing from below, so verl has none.
    package static let names: [String] = Scope.allCases.flatMap { scope in
        Divergence.allCases.map { "\(scope.rawValue)_\($0.rawValue)" }
    }.filter { $0 != "seq_max_k1" }

    /// The value at one token.
    func value(_ logRatio: Double) -> Double {
        let ratio = logRatio.clamped(-rolloutLogRatioLimit, rolloutLogRatioLimit)
        switch divergence {
        case .k1: return -ratio
        case .k2: return ratio * ratio / 2
        case .k3: return exponential(ratio) - 1 - ratio
        }
    }

    /// Whether a value passes.
    func passes(_ value: Double) -> Bool {
        value <= upper && lower.map { value >= $0 } ?? true
    }

    /// The rules of names parted by commas, with one threshold for all or one each.
    ///
    /// A threshold of k1 is a range of ratios, "0.5_2.0", or its upper end alone, whose lower end is
    /// then 1 / upper; any other is an upper bound.
    static func rules(
        named names: String, thresholds: String?
    ) throws(ObjectiveError) -> [RejectionRule] {
        var rules: [String] = []
        for name in parts(names) where !rules.contains(name) { rules.append(name) }
        guard !rules.isEmpty else {
            throw ObjectiveError(
                "rollout_rs is set but names no rule; known are "
                    + "\(Self.names.joined(separator: ", ")).")
        }
        var bounds = parts(thresholds ?? "")
        guard bounds.count == 1 || bounds.count == rules.count else {
            throw ObjectiveError(
                "rollout_rs_threshold must have 1 value or \(rules.count), one for each rule of "
                    + "rollout_rs, but it has \(bounds.count).")
        }
        if bounds.count < rules.count { bounds = rules.map { _ in bounds[0] } }
        var result: [RejectionRule] = []
        for (rule, bound) in zip(rules, bounds) {
            result.append(try RejectionRule(named: rule, threshold: bound))
        }
        return result
    }

    private init(named name: String, threshold: String) throws(ObjectiveError) {
        guard Self.names.contains(name),
            let scope = Scope.allCases.first(where: { name.hasPrefix($0.rawValue) }),
            let divergence = Divergence.allCases.first(where: { name.hasSuffix($0.rawValue) })
        else { throw .unknown("rejection rule (rollout_rs)", name, known: Self.names) }
        self.scope = scope
        self.divergence = divergence
        let ends = threshold.split(separator: "_", omittingEmptySubsequences: false)
        let numbers = ends.compactMap { Double($0) }.filter { $0 > 0 && $0.isFinite }
        guard numbers.count == ends.count, ends.count <= (divergence == .k1 ? 2 : 1) else {
            let right = divergence == .k1 ? "a ratio, or two as in 0.5_2.0" : "one upper bound"
            throw ObjectiveError(
                "rollout_rs_threshold of \(name) must be \(right), greater than 0, "
                    + "but it is \"\(threshold)\".")
        }
        let upper = numbers[numbers.count - 1]
        if divergence == .k1 {
            self.lower = naturalLogarithm(numbers.count == 2 ? numbers[0] : 1 / upper)
            self.upper = naturalLogarithm(upper)
        } else {
            self.lower = nil
            self.upper = upper
        }
    }

    /// Parts between commas, without spaces around them, without empty ones.
    private static func parts(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
    }
}
