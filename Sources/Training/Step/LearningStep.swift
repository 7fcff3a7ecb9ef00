import Models
package import Objectives
import Tensors

/// The settings of the learning half of a step.
package struct LearningStepSettings: Sendable {
    package var update: PolicyUpdateSettings
    package var miniBatches: MiniBatches
    package var estimator: AdvantageEstimator
    package var advantage = AdvantageSettings()
    /// The KL that is taken from the reward; nil for none.
    package var rewardPenalty: RewardPenaltySettings?
    package var oldPolicy: OldPolicySettings
    /// How samples are drawn again by their scores; nil for each once.
    package var resampling: PFPPOSettings?
    /// Seed of that drawing.
    package var seed: UInt64 = 0
    /// Whether responses that reached the longest length are not learned from.
    package var masksTruncated = false
    /// Whether the log-probabilities that responses were sampled with are the policy's own, so that
    /// they may stand for the old policy's.
    package var rolloutIsExact = true
    /// Whether they are those of the whole distribution, so that they can be compared with
    /// training's.
    package var rolloutIsWhole = true
    package var referenceMicroBatches: MicroBatchSettings
    package var oldMicroBatches: MicroBatchSettings
    /// The first step in which the policy is updated, not the critic alone.
    package var firstActorStep = 1
}

/// The learning half of a step: log-probabilities, values, rewards, advantages, updates.
package final class LearningStep {
    private let policy: Policy
    private let reference: ReferenceModel
    private let critic: CriticStep?
    private let actorUpdate: ActorUpdate
    private let settings: LearningStepSettings
    private var klController: KLController?

    /// The coefficient of the KL in the reward, which a checkpoint holds; `nil` without one.
    var klCoefficient: Double? { klController?.coefficient }

    /// - Parameter critic: estimates and learns values; nil where no estimator needs them.
    package init(
        _ policy: Policy, _ optimizer: Optimizer, reference: ReferenceModel,
        critic: CriticStep? = nil, _ settings: LearningStepSettings
    ) {
        self.policy = policy
        self.reference = reference
        self.critic = critic
        self.settings = settings
        actorUpdate = ActorUpdate(
            policy, optimizer, settings.miniBatches, settings.update,
            rolloutIsWhole: settings.rolloutIsWhole)
        klController = settings.rewardPenalty?.controller
    }

    /// Goes on from where a checkpoint stood; a coefficient that is fixed is that of the settings.
    package func restore(_ state: TrainerState) throws {
        guard let rule = settings.rewardPenalty?.controller.rule, rule != .fixed,
            let coefficient = state.klCoefficient
        else { return }
        klController = try KLController(coefficient: coefficient, rule: rule)
    }

    /// The learning rates of one step.
    package struct Rates: Sendable {
        package var actor: Double
        package var critic: Double

        package init(actor: Double, critic: Double = 0) {
            self.actor = actor
            self.critic = critic
        }
    }

    /// What the step computed before and while it updated.
    package struct Outcome: Sendable {
        package var metrics: [String: Double]
        /// Advantage and return of each response token.
        package var estimates: AdvantageEstimates
        /// The samples as they were learned from.
        package var experience: Experience
    }

    /// Updates the policy, and the critic if there is one, by the scored responses of one step.
    ///
    /// - Parameters:
    ///   - step: the number of the step, which keys all that is left to chance.
    ///   - progress: called before each piece of work with what it is.
    /// - Throws: `Interrupted` between two micro-batches; the updates made so far stay.
    package func run(
        _ experience: Experience, step: Int, rates: Rates, _ stopwatch: inout Stopwatch,
        progress: (String) -> Void
    ) throws -> Outcome {
        var experience = experience
        var metrics: [String: Double] = [:]
        try addOldLogProbabilities(&experience, &stopwatch, progress)
        try addReferenceLogProbabilities(&experience, &stopwatch, progress)
        if let critic {
            progress("values")
            let values = try stopwatch.measure("values") {
                try critic.values(of: experience.samples)
            }
            for (index, list) in values.enumerated() { experience.samples[index].values = list }
        }
        let estimates = try stopwatch.measure("adv") {
            try estimate(&experience, &metrics)
        }
        metrics.merge(
            try update(
                resampled(experience, step: step), step: step, rates: rates, &stopwatch, progress)
        ) { $1 }
        return Outcome(metrics: metrics, estimates: estimates, experience: experience)
    }

    /// Updates the critic, then the actor, and lets a moving reference follow it.
    private func update(
        _ samples: [PolicySample], step: Int, rates: Rates, _ stopwatch: inout Stopwatch,
        _ progress: (String) -> Void
    ) throws -> [String: Double] {
        var metrics: [String: Double] = [:]
        if let critic {
            let learned = try stopwatch.measure("update_critic") {
                try critic.update(
                    samples, step: step, learningRate: rates.critic, progress: progress)
            }
            metrics.merge(learned) { $1 }
        }
        if step >= settings.firstActorStep {
            let acted = try stopwatch.measure("update_actor") {
                try actorUpdate.run(
                    samples, step: step, learningRate: rates.actor, progress: progress)
            }
            metrics.merge(acted) { $1 }
            reference.follow()
        }
        return metrics
    }

    /// Corrects and weighs the rewards, and gives each sample its advantages and returns.
    private func estimate(
        _ experience: inout Experience, _ metrics: inout [String: Double]
    ) throws -> AdvantageEstimates {
        try takeKLFromRewards(&experience, &metrics)
        try correctRollout(&experience, &metrics)
        if settings.oldPolicy.corrects, experience.samples.responseLayout.unmaskedTokenCount < 2 {
            // Nothing is left to compare: the step teaches nothing, and the run goes on.
            metrics["rollout_corr/rejected_steps"] = 1
            return experience.rejectAll()
        }
        let estimates = try advantages(
            experience.advantageInputs, estimator: settings.estimator,
            settings: settings.advantage)
        experience.spread(estimates.advantages) { $0.advantages = $1 }
        experience.spread(estimates.returns) { $0.returns = $1 }
        if settings.masksTruncated { experience.maskTruncated() }
        return estimates
    }

    /// r_t - coefficient KL_t, after which the coefficient follows the KL.
    private func takeKLFromRewards(
        _ experience: inout Experience, _ metrics: inout [String: Double]
    ) throws {
        guard let penalty = settings.rewardPenalty, let controller = klController else { return }
        let penalized = try rewardsWithKLPenalty(
            experience.advantageInputs, logProbabilities: experience.sampledLogProbabilities,
            reference: experience.samples.joined(\.referenceLogProbabilities) ?? [],
            estimator: penalty.estimator, coefficient: controller.coefficient)
        experience.tokenRewards = penalized.tokenRewards
        metrics["actor/reward_kl_penalty"] = penalized.divergence
        metrics["actor/reward_kl_penalty_coeff"] = controller.coefficient
        klController?.update(
            divergence: penalized.divergence, sequences: experience.samples.count)
    }

    /// Weighs and rejects tokens by the difference between rollout and training. In bypass mode the
    /// loss does so itself.
    private func correctRollout(
        _ experience: inout Experience, _ metrics: inout [String: Double]
    ) throws {
        guard settings.oldPolicy.corrects, settings.oldPolicy.source != .rollout else { return }
        let samples = experience.samples
        let corrected = try rolloutCorrection(
            rollout: samples.flatMap(\.rolloutLogProbabilities),
            old: samples.joined(\.oldLogProbabilities) ?? [], layout: samples.responseLayout,
            settings: settings.oldPolicy.correction)
        metrics.merge(corrected.metrics) { $1 }
        experience.spread(corrected.mask) { $0.mask = $1 }
        if let weights = corrected.weights {
            experience.spread(weights) { $0.rolloutWeights = $1 }
        }
    }

    /// The samples to learn from: each once, or drawn again by their scores.
    private func resampled(_ experience: Experience, step: Int) throws -> [PolicySample] {
        guard let resampling = settings.resampling else { return experience.samples }
        let chosen = try resampledSequences(
            scores: experience.scores, settings: resampling,
            seed: settings.seed &+ UInt64(step) << 32)
        return chosen.map { experience.samples[$0] }
    }
}

// MARK: Log-probabilities before the first update

extension LearningStep {
    /// Whether the old log-probabilities need a pass of their own.
    ///
    /// With one update a step the current policy is the old one. Otherwise the rollout's own serve,
    /// unless they are those of a cut distribution, or anew computed ones are asked for.
    private func needsOldPass(_ experience: Experience) -> Bool {
        if settings.estimator.needs.contains(.squaredProbabilitySums) { return true }
        let updates = settings.miniBatches.updateCount(of: experience.samples.count)
        let isCompared = updates > 1 || settings.rewardPenalty != nil
        switch settings.oldPolicy.source {
        case .rollout: return false
        case .recomputed: return isCompared || settings.oldPolicy.corrects
        case .automatic:
            return settings.oldPolicy.corrects || (isCompared && !settings.rolloutIsExact)
        }
    }

    private func addOldLogProbabilities(
        _ experience: inout Experience, _ stopwatch: inout Stopwatch,
        _ progress: (String) -> Void
    ) throws {
        let updates = settings.miniBatches.updateCount(of: experience.samples.count)
        let takesRollout = settings.oldPolicy.source == .rollout
        if needsOldPass(experience) {
            progress("old log-probabilities")
            let temperature = settings.update.temperature
            let scores = try stopwatch.measure("old_log_prob") {
                try responseScores(
                    experience.samples, settings.oldMicroBatches,
                    betweenMicroBatches: Interruption.check
                ) { policy.score($0, temperature: temperature, keeping: .all, nil) }
            }
            experience.squaredProbabilitySums = scores.flatMap(\.squaredProbabilitySums)
            for (index, values) in scores.enumerated() {
                experience.samples[index].oldLogProbabilities = values.logProbabilities
            }
            guard takesRollout else { return }
        }
        guard takesRollout || updates > 1 else { return }
        for index in experience.samples.indices {
            experience.samples[index].oldLogProbabilities =
                experience.samples[index].rolloutLogProbabilities
        }
    }

    private func addReferenceLogProbabilities(
        _ experience: inout Experience, _ stopwatch: inout Stopwatch,
        _ progress: (String) -> Void
    ) throws {
        guard settings.update.loss.useKLLoss || settings.rewardPenalty != nil else { return }
        progress("reference")
        let temperature = settings.update.temperature
        let values = try stopwatch.measure("ref") {
            try logProbabilities(
                experience.samples, settings.referenceMicroBatches,
                betweenMicroBatches: Interruption.check
            ) { reference.score($0, temperature: temperature) }
        }
        for (index, list) in values.enumerated() {
            experience.samples[index].referenceLogProbabilities = list
        }
    }
}
