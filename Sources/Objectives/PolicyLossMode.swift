/// A policy loss: its name, and the pure function that gives each token's loss and derivative.
///
/// To add one, write a file in `PolicyLosses` with its function and its constant, and name the
/// constant in `all`.
package struct PolicyLossMode: Sendable {
    /// verl's name (`policy_loss.loss_mode`).
    package let name: String
    /// The aggregation that the loss is defined with, whatever `loss_agg_mode` says; nil leaves it.
    package let aggregation: LossAggregation?
    /// Whether the loss of a token depends on those that are computed with it, so that the cut into
    /// micro-batches is a part of the algorithm.
    package let dependsOnMicroBatch: Bool
    /// Loss and derivative of each token.
    let tokenLosses: @Sendable (PolicyLossInputs, PolicyLossSettings) -> TokenLosses

    init(
        _ name: String, aggregation: LossAggregation? = nil, dependsOnMicroBatch: Bool = false,
        tokenLosses: @escaping @Sendable (PolicyLossInputs, PolicyLossSettings) -> TokenLosses
    ) {
        self.name = name
        self.aggregation = aggregation
        self.dependsOnMicroBatch = dependsOnMicroBatch
        self.tokenLosses = tokenLosses
    }

    /// The registry.
    package static let all: [PolicyLossMode] = [
        .vanilla, .gspo, .sapo, .gpg, .clipCovariance, .klCovariance, .geometricMean, .cispo,
        .dppoTotalVariation, .dppoKL, .dro,
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
    /// Calls a function for each unmasked token, in order, with what the losses are made of.
    @inline(__always)
    func forEachUnmaskedToken(_ body: (PolicyToken) -> Void) {
        let count = layout.tokenCount
        precondition(logProbabilities.count == count && oldLogProbabilities.count == count)
        precondition(advantages.count == count)
        for sequence in 0..<layout.sequenceCount {
            for token in layout.tokens(of: sequence) where layout.isUnmasked(token) {
                body(
                    PolicyToken(
                        index: token, sequence: sequence,
                        logProbability: Double(logProbabilities[token]),
                        oldLogProbability: Double(oldLogProbabilities[token]),
                        advantage: Double(advantages[token]),
                        rolloutWeight: rolloutWeights.map { Double($0[token]) } ?? 1))
            }
        }
    }

    /// The mean of a value over the unmasked tokens of each sequence, `[S]`; 0 for an empty one.
    func sequenceMeans(_ value: (PolicyToken) -> Double) -> [Double] {
        var sums = [Double](repeating: 0, count: layout.sequenceCount)
        forEachUnmaskedToken { sums[$0.sequence] += value($0) }
        return zip(sums, layout.unmaskedCounts).map { $0 / Double(max($1, 1)) }
    }
}

/// One unmasked response token, as the policy losses see it.
struct PolicyToken {
    /// Its place in the layout.
    let index: Int
    /// Its sequence.
    let sequence: Int
    /// Under the policy being trained.
    let logProbability: Double
    /// Under the policy that ratios are taken against.
    let oldLogProbability: Double
    /// Its advantage.
    let advantage: Double
    /// Its importance weight of the rollout correction, 1 without one.
    let rolloutWeight: Double

    /// log policy - log old policy, not clamped.
    var logRatio: Double { logProbability - oldLogProbability }

    /// The largest |log ratio| that is exponentiated, as in verl: beyond it the ratio is constant.
    static let logRatioLimit = 20.0

    /// The log-ratio within +-20.
    var clampedLogRatio: Double { logRatio.clamped(-Self.logRatioLimit, Self.logRatioLimit) }

    /// The derivative of `clampedLogRatio` by the log-probability: 0 where the clamp holds.
    var clampPasses: Double { abs(logRatio) <= Self.logRatioLimit ? 1 : 0 }
}
