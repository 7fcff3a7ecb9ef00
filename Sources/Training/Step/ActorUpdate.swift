import Objectives

/// The updates of the policy by one step's samples.
package struct ActorUpdate {
    private let policy: Policy
    private let optimizer: Optimizer
    private let miniBatches: MiniBatches
    private let settings: PolicyUpdateSettings
    /// Whether the log-probabilities that responses were sampled with are those of the whole
    /// distribution, so that they can be compared with training's.
    private let rolloutIsWhole: Bool

    package init(
        _ policy: Policy, _ optimizer: Optimizer, _ miniBatches: MiniBatches,
        _ settings: PolicyUpdateSettings, rolloutIsWhole: Bool
    ) {
        self.policy = policy
        self.optimizer = optimizer
        self.miniBatches = miniBatches
        self.settings = settings
        self.rolloutIsWhole = rolloutIsWhole
    }

    /// Makes one optimizer update for each mini-batch of each epoch.
    ///
    /// - Returns: verl's `actor/...` metrics, means over the updates.
    /// - Throws: `Interrupted` between two micro-batches; the updates made so far stay.
    package func run(
        _ samples: [PolicySample], step: Int, learningRate: Double, progress: (String) -> Void
    ) throws -> [String: Double] {
        let skippedBefore = optimizer.skippedUpdates
        var sums: [String: Double] = [:]
        var first: [String: Double] = [:]
        let batches = miniBatches.batches(of: samples, step: step)
        for (number, miniBatch) in batches.enumerated() {
            progress("update \(number + 1)")
            let gradient = try accumulatePolicyGradient(
                policy, miniBatch, settings,
                selectionSeed: UInt64(step) << 32 | UInt64(number) << 16,
                betweenMicroBatches: Interruption.check)
            let norm = optimizer.update(learningRate: learningRate)
            sums.merge(gradient.metrics, uniquingKeysWith: +)
            sums["actor/grad_norm", default: 0] += norm
            sums["actor/loss", default: 0] += gradient.loss
            // Later mini-batches are scored by a policy that has moved on.
            if number == 0 { first = try rolloutMetrics(miniBatch, gradient.logProbabilities) }
        }
        var metrics = sums.mapValues { $0 / Double(batches.count) }
        metrics.merge(first) { $1 }
        metrics["actor/lr"] = learningRate
        metrics["actor/skipped_updates"] = Double(optimizer.skippedUpdates - skippedBefore)
        if settings.loss.useKLLoss { metrics["actor/kl_coef"] = settings.loss.klCoefficient }
        return metrics
    }

    /// How far the rollout's log-probabilities of the first mini-batch lie from the policy's.
    private func rolloutMetrics(
        _ miniBatch: [PolicySample], _ logProbabilities: [[Float]]
    ) throws(ObjectiveError) -> [String: Double] {
        let layout = miniBatch.responseLayout
        let rollout = miniBatch.flatMap(\.rolloutLogProbabilities)
        let current = Array(logProbabilities.joined())
        guard rollout.count == layout.tokenCount, layout.unmaskedTokenCount > 0 else { return [:] }
        var metrics: [String: Double] = [:]
        if rolloutIsWhole {
            metrics = RolloutDifference(rollout: rollout, actor: current, layout: layout).metrics
        }
        if let bypass = settings.bypass {
            let correction = try rolloutCorrection(
                rollout: rollout, old: current, layout: layout, settings: bypass.correction)
            metrics.merge(correction.metrics) { $1 }
        }
        return metrics
    }
}
