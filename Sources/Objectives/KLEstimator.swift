/// An estimate of KL(policy || reference) at one sampled token, from two log-probabilities.
///
/// With d = log policy - log reference (J. Schulman, http://joschu.net/blog/kl-approx.html):
/// k1 = d; abs = |d|; k2 = d^2 / 2; k3 = exp(-d) + d - 1, with -d kept within +-20 and the result
/// within +-10. A straight-through form ("k3+") has the value of its estimator and the derivative of
/// k2, whose expected gradient is the gradient of the KL.
package struct KLEstimator: Sendable, Equatable {
    /// The four formulas.
    package enum Formula: Sendable {
        /// d: unbiased, signed.
        case k1
        /// |d|.
        case abs
        /// d^2 / 2: biased value, right gradient.
        case k2
        /// exp(-d) + d - 1: unbiased, never negative; verl's default.
        case k3
    }

    /// The formula of the value.
    package let formula: Formula
    /// Whether the derivative is that of k2 instead of the formula's own.
    package let straightThrough: Bool

    /// An estimator by its formula.
    package init(_ formula: Formula, straightThrough: Bool = false) {
        self.formula = formula
        self.straightThrough = straightThrough
    }

    /// verl's names and the formula each stands for.
    private static let formulas: [(name: String, formula: Formula)] = [
        ("kl", .k1), ("k1", .k1), ("abs", .abs), ("mse", .k2), ("k2", .k2), ("low_var_kl", .k3),
        ("k3", .k3),
    ]

    /// Every name that `init(named:)` knows.
    package static let names: [String] = formulas.map(\.name) + formulas.map { $0.name + "+" }

    /// The estimator of a name of verl's (`kl_loss_type`, `kl_penalty`): "k3", "low_var_kl", "k1+"...
    ///
    /// - Throws: when there is none of this name.
    package init(named name: String) throws(ObjectiveError) {
        let straightThrough = name.hasSuffix("+")
        let base = straightThrough ? String(name.dropLast()) : name
        guard let known = Self.formulas.first(where: { $0.name == base }) else {
            throw .unknown("KL estimator (kl_loss_type, kl_penalty)", name, known: Self.names)
        }
        self.init(known.formula, straightThrough: straightThrough)
    }

    /// The estimate at one token, and its derivative by the policy's log-probability.
    ///
    /// - Parameters:
    ///   - logProbability: of the sampled token under the policy, natural logarithm.
    ///   - reference: of the same token under the reference.
    @inline(__always)
    package func estimate(
        logProbability: Double, reference: Double
    ) -> (value: Double, derivative: Double) {
        let difference = logProbability - reference
        let (value, derivative) = own(difference)
        return (value, straightThrough ? difference : derivative)
    }

    /// Value and derivative of the formula itself, by d.
    @inline(__always)
    private func own(_ difference: Double) -> (value: Double, derivative: Double) {
        switch formula {
        case .k1: return (difference, 1)
        case .abs: return (Swift.abs(difference), difference > 0 ? 1 : (difference < 0 ? -1 : 0))
        case .k2: return (difference * difference / 2, difference)
        case .k3:
            let exponent = (-difference).clamped(-20, 20)
            let inverseRatio = exponential(exponent)
            let value = inverseRatio - exponent - 1
            // A clamp passes no derivative outside its range.
            let clamped = Swift.abs(difference) > 20 || value > 10
            return (value.clamped(-10, 10), clamped ? 0 : 1 - inverseRatio)
        }
    }
}
