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
    /// The critic's value of each token, `[T]`.
    package var values: [Float]?
    /// Score of the greedy response to each sequence's prompt, `[S]`.
    package var greedyScores: [Float]?
    /// log-probabilities under the policy that sampled, `[T]`.
    package var oldLogProbabilities: [Float]?
    /// Sum over the vocabulary of the squared probabilities at each token, `[T]`.
    package var squaredProbabilitySums: [Float]?
    /// Importance weights of the rollout correction, `[T]`; without them, 1.
    package var rolloutWeights: [Float]?
    /// Scores of several rewards, `[K][S]`.
    package var rewardComponents: [[Float]]?

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
        // Rewards of a wrong length are refused by `advantages`, which can say so.
        let isWhole = tokenRewards.count == layout.tokenCount
        scores = (0..<layout.sequenceCount).map { sequence in
            guard isWhole else { return 0 }
            return Float(layout.tokens(of: sequence).reduce(0.0) { $0 + Double(tokenRewards[$1]) })
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
    /// Weight of each of several rewards (`algorithm.gdpo_reward_weights`), `[K]`; nil is 1 each.
    package var rewardWeights: [Double]?

    /// verl's defaults, to be changed property by property.
    package init() {}
}

/// Advantages and returns of each token, `[T]` both.
package struct AdvantageEstimates: Sendable {
    /// What the policy loss weighs each token by; 0 at masked tokens.
    package var advantages: [Float]
    /// What a critic would be trained towards; what stands at masked tokens means nothing.
    package var returns: [Float]

    /// Estimates as known to the caller.
    package init(advantages: [Float], returns: [Float]) {
        self.advantages = advantages
        self.returns = returns
    }
}

/// An input that some estimators need beside rewards and groups.
package enum AdvantageNeed: String, Sendable {
    /// `AdvantageInputs.values`.
    case values = "the critic's values"
    /// `AdvantageInputs.greedyScores`.
    case greedyScores = "the score of a greedy response to each prompt"
    /// `AdvantageInputs.oldLogProbabilities`.
    case oldLogProbabilities = "the old log-probabilities"
    /// `AdvantageInputs.squaredProbabilitySums`.
    case squaredProbabilitySums = "the sum of squared probabilities at each token"
    /// `AdvantageInputs.rewardComponents`.
    case rewardComponents = "the scores of each reward (algorithm.gdpo_reward_keys)"
}

/// An advantage estimator: its name, and the pure function behind it.
///
/// To add one, write a file in `Advantages` with its function and its constant, and name the
/// constant in `all`.
package struct AdvantageEstimator: Sendable {
    /// verl's name (`algorithm.adv_estimator`).
    package let name: String
    /// What it needs beside rewards and groups, so that a run can refuse before its first rollout.
    package let needs: [AdvantageNeed]
    /// The function.
    let estimate:
        @Sendable (AdvantageInputs, AdvantageSettings) throws(ObjectiveError) -> AdvantageEstimates

    init(
        _ name: String, needs: [AdvantageNeed] = [],
        estimate:
            @escaping @Sendable (AdvantageInputs, AdvantageSettings) throws(ObjectiveError) ->
            AdvantageEstimates
    ) {
        self.name = name
        self.needs = needs
        self.estimate = estimate
    }

    /// The registry.
    package static let all: [AdvantageEstimator] = [
        .gae, .grpo, .grpoVectorized, .grpoPassK, .reinforcePlusPlus, .reinforcePlusPlusBaseline,
        .rloo, .rlooVectorized, .remax, .opo, .gpg, .optimalTokenBaseline,
        .multiTurnOptimalTokenBaseline, .gdpo,
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
    for need in estimator.needs where inputs.lacks(need) {
        throw ObjectiveError("adv_estimator=\(estimator.name) needs \(need.rawValue).")
    }
    return try estimator.estimate(inputs, settings)
}

extension AdvantageInputs {
    /// Whether an input is missing.
    fileprivate func lacks(_ need: AdvantageNeed) -> Bool {
        switch need {
        case .values: values == nil
        case .greedyScores: greedyScores == nil
        case .oldLogProbabilities: oldLogProbabilities == nil
        case .squaredProbabilitySums: squaredProbabilitySums == nil
        case .rewardComponents: rewardComponents?.isEmpty ?? true
        }
    }

    /// - Throws: when an array has not one value a sequence, or a token.
    fileprivate func validate() throws(ObjectiveError) {
        let (sequences, tokens) = (layout.sequenceCount, layout.tokenCount)
        var counts: [(found: Int?, name: String, right: Int, unit: String)] = [
            (scores.count, "scores", sequences, "sequences"),
            (groups.count, "group indices", sequences, "sequences"),
            (greedyScores?.count, "greedy scores", sequences, "sequences"),
            (tokenRewards?.count, "token rewards", tokens, "response tokens"),
            (values?.count, "values", tokens, "response tokens"),
            (oldLogProbabilities?.count, "old log-probabilities", tokens, "response tokens"),
            (squaredProbabilitySums?.count, "squared probabilities", tokens, "response tokens"),
            (rolloutWeights?.count, "rollout weights", tokens, "response tokens"),
        ]
        for component in rewardComponents ?? [] {
            counts.append((component.count, "scores of one reward", sequences, "sequences"))
        }
        for (found, name, right, unit) in counts where found != nil && found != right {
            throw ObjectiveError("There are \(found ?? 0) \(name) for \(right) \(unit).")
        }
    }
}
