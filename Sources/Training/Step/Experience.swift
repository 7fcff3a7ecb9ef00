import Objectives
import Rewards
import Rollouts

/// The scored responses of one step, and what becomes known of them on the way to an update.
package struct Experience: Sendable {
    /// One sample a response.
    package var samples: [PolicySample]
    /// Which prompt each response answers, `[S]`; siblings share the number.
    package let groups: [Int]
    /// Score of each response, `[S]`.
    package let scores: [Float]
    /// Score of the greedy response to each one's prompt, `[S]`; only some estimators need it.
    package let greedyScores: [Float]?
    /// Each of several rewards, `[K][S]`; only some estimators need them.
    package let rewardComponents: [[Float]]?
    /// Reward of each response token, `[T]`: at first each score on its response's last token.
    package var tokenRewards: [Float]
    /// Sum over the vocabulary of the squared probabilities at each token, `[T]`, once computed.
    package var squaredProbabilitySums: [Float]?
    /// Whether each response reached the longest length, `[S]`.
    private let isTruncated: [Bool]

    /// What a rollout gave.
    ///
    /// - Parameters:
    ///   - rewardKeys: the numbers of each reward that an estimator takes apart.
    ///   - greedyScores: by group, where an estimator needs them.
    /// - Throws: when a reward lacks one of `rewardKeys`, or is too large to compute with.
    package init(
        _ responses: [ScoredResponse], rewardKeys: [String] = [], greedyScores: [Double]? = nil
    ) throws {
        samples = responses.map {
            PolicySample(
                prompt: $0.row.promptIDs, response: $0.completion.tokens,
                rolloutLogProbabilities: $0.completion.logProbabilities)
        }
        groups = responses.map(\.group)
        scores = try responses.map { Float(try $0.score) }
        self.greedyScores = greedyScores.map { scores in
            responses.map { Float(scores[$0.group]) }
        }
        rewardComponents =
            rewardKeys.isEmpty
            ? nil
            : try rewardKeys.map { key in
                try responses.map {
                    Float(try $0.number(key, setting: "algorithm.gdpo_reward_keys"))
                }
            }
        tokenRewards = []
        for (score, sample) in zip(scores, samples) {
            tokenRewards += [Float](repeating: 0, count: sample.response.count - 1) + [score]
        }
        isTruncated = responses.map { $0.completion.finishReason == .length }
    }

    /// Log-probability of each token under the policy that sampled it, `[T]`.
    package var sampledLogProbabilities: [Float] {
        samples.flatMap { $0.oldLogProbabilities ?? $0.rolloutLogProbabilities }
    }

    /// What advantages are computed from, as far as it is known.
    var advantageInputs: AdvantageInputs {
        var inputs = AdvantageInputs(
            layout: samples.responseLayout, tokenRewards: tokenRewards, groups: groups)
        inputs.values = samples.joined(\.values)
        inputs.greedyScores = greedyScores
        inputs.oldLogProbabilities = samples.joined(\.oldLogProbabilities)
        inputs.squaredProbabilitySums = squaredProbabilitySums
        inputs.rolloutWeights = samples.joined(\.rolloutWeights)
        inputs.rewardComponents = rewardComponents
        return inputs
    }

    /// Gives each sample its part of a list of one number a token, `[T]`.
    mutating func spread(_ values: [Float], _ assign: (inout PolicySample, [Float]) -> Void) {
        var start = 0
        for index in samples.indices {
            let end = start + samples[index].response.count
            assign(&samples[index], Array(values[start..<end]))
            start = end
        }
        precondition(start == values.count, "There is one number a response token.")
    }

    /// Takes responses that reached the longest length out of every loss.
    mutating func maskTruncated() {
        for index in samples.indices where isTruncated[index] { samples[index].maskAll() }
    }

    /// Takes every token out of every loss; returns estimates of nothing.
    mutating func rejectAll() -> AdvantageEstimates {
        for index in samples.indices { samples[index].maskAll() }
        let zeros = [Float](repeating: 0, count: tokenRewards.count)
        return AdvantageEstimates(advantages: zeros, returns: zeros)
    }
}

extension PolicySample {
    /// Leaves no token to learn from.
    fileprivate mutating func maskAll() {
        mask = [Float](repeating: 0, count: response.count)
    }
}

extension [PolicySample] {
    /// The lists of all samples end to end, `[T]`; `nil` unless every sample has one.
    func joined(_ list: (PolicySample) -> [Float]?) -> [Float]? {
        let lists = compactMap(list)
        return lists.count == count ? Array<Float>(lists.joined()) : nil
    }
}

extension ScoredResponse {
    /// The score, which advantages are computed from in single precision.
    var score: Double {
        get throws(TrainingError) { try checked(reward.score, "score") }
    }

    /// A number that the reward gave: `score`, `acc` (the score, where the reward gives no acc), or
    /// a name of its own.
    ///
    /// - Parameter setting: the key that asks for it, for messages.
    func number(_ name: String, setting: String) throws(TrainingError) -> Double {
        if name == "score" { return try score }
        if let value = reward.extras[name] { return try checked(value, name) }
        if name == "acc" { return try score }
        let known = ["score"] + reward.extras.keys.sorted()
        throw TrainingError(
            "\(setting) names '\(name)', but for \(row.name) the reward gives only "
                + known.joined(separator: ", ") + ".")
    }

    /// A number that is finite in single precision, too: any other would make every advantage of
    /// its batch one that is none, and each update one that is left out.
    private func checked(_ number: Double, _ name: String) throws(TrainingError) -> Double {
        guard Float(number).isFinite else {
            throw TrainingError(
                "\(row.name): the reward gives \(number) as '\(name)', but it must be a number "
                    + "between -3.4e38 and 3.4e38.")
        }
        return number
    }
}
