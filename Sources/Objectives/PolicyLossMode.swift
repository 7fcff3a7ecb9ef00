/// A policy loss: its name, and the pure function that gives each token's loss and derivative.
///
/// To add one, write a file in `PolicyLosses` with its function and its constant, and name the
/// constant in `all`.
package struct PolicyLossMode: Sendable {
    /// verl's name (`policy_loss.loss_mode`).
    package let name: String
    /// The aggregation that the loss is defined with, whatever `loss_agg_mode` says; nil leaves it.
    package let aggregation: LossAggregation?
    /// Loss and derivative of each token.
    let tokenLosses: @Sendable (PolicyLossInputs, PolicyLossSettings) -> TokenLosses

    init(
        _ name: String, aggregation: LossAggregation? = nil,
        tokenLosses: @escaping @Sendable (PolicyLossInputs, PolicyLossSettings) -> TokenLosses
    ) {
        self.name = name
        self.aggregation = aggregation
        self.tokenLosses = tokenLosses
    }

    /// The registry.
    package static let all: [PolicyLossMode] = [
        .vanilla
    ]

    /// The policy loss of a name.
    ///
    /// - Throws: when there is none of this name.
    package init(named name: String) throws(ObjectiveError) {
        guard let known = Self.all.first(where: { $0.name == name }) else {
            throw .unknown("policy loss (loss_mode)", name, known: Self.all.map(\.name))
        }
        self = known
    }
}

extension PolicyLossInputs {
    /// Calls a function for each unmasked token with what most losses are made of.
    @inline(__always)
    func forEachUnmaskedToken(_ body: (PolicyToken) -> Void) {
        let count = layout.tokenCount
        precondition(logProbabilities.count == count && oldLogProbabilities.count == count)
        precondition(advantages.count == count)
        for token in 0..<count where layout.isUnmasked(token) {
            body(
                PolicyToken(
                    index: token,
                    logProbability: Double(logProbabilities[token]),
                    logRatio: Double(logProbabilities[token]) - Double(oldLogProbabilities[token]),
                    advantage: Double(advantages[token]),
                    rolloutWeight: rolloutWeights.map { Double($0[token]) } ?? 1))
        }
    }
}

/// One unmasked response token, as the policy losses see it.
struct PolicyToken {
    /// Its place in the layout.
    let index: Int
    /// Under the policy being trained.
    let logProbability: Double
    /// log policy - log old policy, not clamped.
    let logRatio: Double
    /// Its advantage.
    let advantage: Double
    /// Its importance weight of the rollout correction, 1 without one.
    let rolloutWeight: Double

    /// The largest |log ratio| that is exponentiated, as in verl: beyond it the ratio is constant.
    static let logRatioLimit = 20.0

    /// The log-ratio within +-20.
    var clampedLogRatio: Double { logRatio.clamped(-Self.logRatioLimit, Self.logRatioLimit) }

    /// The derivative of `clampedLogRatio` by the log-probability: 0 where the clamp holds.
    var clampPasses: Double { abs(logRatio) <= Self.logRatioLimit ? 1 : 0 }
}
