/// What advantages are computed from: a whole batch, after its rewards are known.
package struct AdvantageInputs: Sendable {
    /// Where the sequences lie, and which tokens count.
    package var layout: ResponseLayout
    /// Outcome score of each sequence, `[S]`.
    package var scores: [Float]
    /// Reward of each token, `[T]`; nil puts each score on the last unmasked token of its sequence.
    package var tokenRewards: [Float]?
    /// Which sequences answer the same prompt, `[S]`: any numbers, equal within a group.
    package var groups: [Int]

    /// Inputs with one outcome score a sequence.
    package init(layout: ResponseLayout, scores: [Float], groups: [Int]) {
        self.layout = layout
        self.scores = scores
        self.groups = groups
    }

    /// Inputs with one reward a token, `[T]`; a sequence's score is their sum.
    package init(layout: ResponseLayout, tokenRewards: [Float], groups: [Int]) {
        self.layout = layout
        self.tokenRewards = tokenRewards
        self.groups = groups
        scores = (0..<layout.sequenceCount).map { sequence in
            Float(layout.tokens(of: sequence).reduce(0.0) { $0 + Double(tokenRewards[$1]) })
        }
    }
}

/// Constants of the advantage estimators; the defaults are verl's.
package struct AdvantageSettings: Sendable {
    /// Whether GRPO divides by the group's standard deviation (`norm_adv_by_std_in_grpo`).
    package var normalizeByDeviation = true
    /// Discount of later rewards (`algorithm.gamma`).
    package var discount = 1.0
    /// Lambda of generalised advantage estimation (`algorithm.lam`).
    package var lambda = 1.0

    /// verl's defaults, to be changed property by property.
    package init() {}
}

/// Advantages and returns of each token, `[T]` both; 0 at masked tokens unless said otherwise.
package struct AdvantageEstimates: Sendable {
    /// What the policy loss weighs each token by.
    package var advantages: [Float]
    /// What a critic would be trained towards.
    package var returns: [Float]
}

/// An advantage estimator: its name, and the pure function behind it.
///
/// To add one, write a file in `Advantages` with its function and its constant, and name the
/// constant in `all`.
package struct AdvantageEstimator: Sendable {
    /// verl's name (`algorithm.adv_estimator`).
    package let name: String
    /// The function.
    let estimate:
        @Sendable (AdvantageInputs, AdvantageSettings) throws(ObjectiveError) -> AdvantageEstimates

    init(
        _ name: String,
        estimate:
            @escaping @Sendable (AdvantageInputs, AdvantageSettings) throws(ObjectiveError) ->
            AdvantageEstimates
    ) {
        self.name = name
        self.estimate = estimate
    }

    /// The registry.
    package static let all: [AdvantageEstimator] = [
        .grpo
    ]

    /// The estimator of a name.
    ///
    /// - Throws: when there is none of this name.
    package init(named name: String) throws(ObjectiveError) {
        guard let known = Self.all.first(where: { $0.name == name }) else {
            throw .unknown("advantage estimator (adv_estimator)", name, known: Self.all.map(\.name))
        }
        self = known
    }
}

/// Advantages and returns of a whole batch.
///
/// - Throws: when an input that the estimator needs is missing or of the wrong length, or a group is
///   too small for it.
package func advantages(
    _ inputs: AdvantageInputs, estimator: AdvantageEstimator,
    settings: AdvantageSettings = AdvantageSettings()
) throws(ObjectiveError) -> AdvantageEstimates {
    try inputs.validate()
    return try estimator.estimate(inputs, settings)
}

extension AdvantageInputs {
    /// - Throws: when an array has not one value a sequence, or a token.
    fileprivate func validate() throws(ObjectiveError) {
        let sequences = layout.sequenceCount
        try expect(scores.count, "scores", sequences, "sequences")
        try expect(groups.count, "group indices", sequences, "sequences")
        try expect(tokenRewards?.count, "token rewards", layout.tokenCount, "response tokens")
    }

    private func expect(
        _ found: Int?, _ name: String, _ right: Int, _ unit: String
    ) throws(ObjectiveError) {
        guard let found, found != right else { return }
        throw ObjectiveError("There are \(found) \(name) for \(right) \(unit).")
    }
}
