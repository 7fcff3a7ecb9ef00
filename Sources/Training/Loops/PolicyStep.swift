package import Objectives
import Rewards
import Rollouts

/// The settings of the learning half of a step.
package struct PolicyStepSettings: Sendable {
    package var update: PolicyUpdateSettings
    package var estimator: AdvantageEstimator
    package var advantage: AdvantageSettings
    /// Samples a mini-batch: one optimizer update each.
    package var miniBatchSize: Int
    /// Passes over the step's samples.
    package var epochs: Int
    /// Whether samples are put in a new order each epoch.
    package var shuffles: Bool
    package var shuffleSeed: Int
    /// Whether the log-probabilities that responses were sampled with are those of the whole
    /// distribution, so that they may stand for the old policy's.
    package var rolloutIsExact: Bool
    /// Whether they do, instead of a pass of their own.
    package var usesRolloutLogProbabilities: Bool
    package var referenceMicroBatches: MicroBatchSettings
    package var oldMicroBatches: MicroBatchSettings
}

/// The learning half of a step: reference, advantages, updates.
package struct PolicyStep {
    private let policy: Policy
    private let optimizer: Optimizer
    private let settings: PolicyStepSettings

    package init(_ policy: Policy, _ optimizer: Optimizer, _ settings: PolicyStepSettings) {
        self.policy = policy
        self.optimizer = optimizer
        self.settings = settings
    }

    /// What the step computed before and while it updated.
    package struct Outcome {
        package var metrics: [String: Double]
        /// Advantage of each response token.
        package var advantages: [Float]
    }

    /// Updates the policy by the scored responses of one step.
    ///
    /// - Parameters:
    ///   - step: the number of the step, which keys the shuffling.
    ///   - progress: called before each piece of work with what it is.
    /// - Throws: `Interrupted` between two micro-batches; the updates made so far stay.
    package func run(
        _ responses: [ScoredResponse], step: Int, learningRate: Double,
        _ stopwatch: inout Stopwatch, progress: (String) -> Void
    ) throws -> Outcome {
        let estimates = try stopwatch.measure("adv") {
            try advantages(
                AdvantageInputs(
                    layout: ResponseLayout(lengths: responses.map(\.completion.tokens.count)),
                    scores: responses.map { Float($0.reward.score) },
                    groups: responses.map(\.group)),
                estimator: settings.estimator, settings: settings.advantage)
        }
        var samples = policySamples(responses, advantages: estimates.advantages)
        try addOldLogProbabilities(&samples, &stopwatch, progress)
        try addReferenceLogProbabilities(&samples, &stopwatch, progress)
        let metrics = try stopwatch.measure("update_actor") {
            try update(samples, step: step, learningRate: learningRate, progress)
        }
        return Outcome(metrics: metrics, advantages: estimates.advantages)
    }

    private func policySamples(
        _ responses: [ScoredResponse], advantages: [Float]
    ) -> [PolicySample] {
        var start = 0
        return responses.map { response in
            let tokens = response.completion.tokens
            defer { start += tokens.count }
            return PolicySample(
                prompt: response.row.promptIDs, response: tokens,
                rolloutLogProbabilities: settings.rolloutIsExact
                    ? response.completion.logProbabilities : [],
                advantages: Array(advantages[start..<start + tokens.count]))
        }
    }

    /// With one update a step the current policy is the old one, and nothing is needed. Otherwise
    /// the rollout's own log-probabilities serve, unless they are those of a cut distribution.
    private func addOldLogProbabilities(
        _ samples: inout [PolicySample], _ stopwatch: inout Stopwatch,
        _ progress: (String) -> Void
    ) throws {
        let updates = settings.epochs * (samples.count / settings.miniBatchSize)
        guard updates > 1 else { return }
        if settings.rolloutIsExact, settings.usesRolloutLogProbabilities {
            for index in samples.indices {
                samples[index].oldLogProbabilities = samples[index].rolloutLogProbabilities
            }
            return
        }
        progress("old log-probabilities")
        let temperature = settings.update.temperature
        let old = try stopwatch.measure("old_log_prob") {
            try logProbabilities(
                samples, settings.oldMicroBatches, betweenMicroBatches: Interruption.check
            ) { policy.score($0, temperature: temperature, recomputes: false, nil) }
        }
        for (index, values) in old.enumerated() { samples[index].oldLogProbabilities = values }
    }

    private func addReferenceLogProbabilities(
        _ samples: inout [PolicySample], _ stopwatch: inout Stopwatch,
        _ progress: (String) -> Void
    ) throws {
        guard settings.update.loss.useKLLoss else { return }
        progress("reference")
        let temperature = settings.update.temperature
        let reference = try stopwatch.measure("ref") {
            try logProbabilities(
                samples, settings.referenceMicroBatches, betweenMicroBatches: Interruption.check
            ) { policy.referenceScore($0, temperature: temperature) }
        }
        for (index, values) in reference.enumerated() {
            samples[index].referenceLogProbabilities = values
        }
    }

    /// One optimizer update for each mini-batch of each epoch.
    private func update(
        _ samples: [PolicySample], step: Int, learningRate: Double, _ progress: (String) -> Void
    ) throws -> [String: Double] {
        let size = settings.miniBatchSize
        let skippedBefore = optimizer.skippedUpdates
        var sums: [String: Double] = [:]
        var updates = 0.0
        var difference: RolloutDifference?
        for epoch in 0..<settings.epochs {
            let order = order(of: samples.count, step: step, epoch: epoch)
            for start in stride(from: 0, to: samples.count, by: size) {
                progress("update \(Int(updates) + 1)")
                let miniBatch = order[start..<start + size].map { samples[$0] }
                let gradient = try accumulatePolicyGradient(
                    policy, miniBatch, settings.update, betweenMicroBatches: Interruption.check)
                let norm = optimizer.update(learningRate: learningRate)
                sums.merge(gradient.metrics, uniquingKeysWith: +)
                sums["actor/grad_norm", default: 0] += norm
                sums["actor/loss", default: 0] += gradient.loss
                updates += 1
                // Later mini-batches are scored by a policy that has moved on.
                difference = difference ?? gradient.rolloutDifference
            }
        }
        var metrics = sums.mapValues { $0 / updates }
        metrics["actor/lr"] = learningRate
        metrics["actor/skipped_updates"] = Double(optimizer.skippedUpdates - skippedBefore)
        if settings.update.loss.useKLLoss {
            metrics["actor/kl_coef"] = settings.update.loss.klCoefficient
        }
        if settings.rolloutIsExact, let difference {
            metrics.merge(difference.metrics) { $1 }
        }
        return metrics
    }

    private func order(of count: Int, step: Int, epoch: Int) -> [Int] {
        guard settings.shuffles else { return Array(0..<count) }
        return RowOrder.shuffled(
            count: count, seed: settings.shuffleSeed, epoch: step << 16 | epoch)
    }
}
