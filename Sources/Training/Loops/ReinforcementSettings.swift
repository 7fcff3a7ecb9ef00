import Formats
import Rewards
import Rollouts
import Tensors

// How the settings of a run become those of its parts.

extension TrainSettings {
    /// Steps of the whole run.
    func totalSteps(batchesPerEpoch: Int) -> Int {
        min(trainer.totalSteps ?? .max, trainer.totalEpochs * batchesPerEpoch)
    }

    /// Whether rollouts draw from the whole distribution, so that their log-probabilities are the
    /// policy's own.
    var rolloutIsExact: Bool { rollout.sampling.topK == nil && rollout.sampling.topP == 1 }
}

extension EngineSettings {
    init(_ settings: TrainSettings) {
        self.init()
        maxSequences = settings.rollout.maxSequences
        maxBatchedTokens = settings.rollout.maxBatchedTokens
        maxModelLength =
            settings.rollout.maxModelLength
            ?? settings.data.prompts.maxLength + settings.data.maxResponseLength
    }
}

extension Rollouts.SamplingSettings {
    init(_ sampling: ResponseSampling, _ settings: TrainSettings, stopIDs: Set<Int32>) {
        self.init(
            temperature: Float(sampling.temperature), topK: sampling.topK ?? 0,
            topP: Float(sampling.topP), maxTokens: settings.data.maxResponseLength,
            stopIDs: stopIDs, ignoreEOS: settings.rollout.ignoreEOS,
            seed: UInt64(bitPattern: Int64(settings.rollout.seed)))
    }
}

extension PolicyStepSettings {
    init(_ settings: TrainSettings) {
        let actor = settings.actor
        self.init(
            update: PolicyUpdateSettings(
                loss: actor.loss, temperature: Float(settings.rollout.sampling.temperature),
                microBatches: actor.microBatch,
                recomputes: settings.model.gradientCheckpointing,
                paddedResponseLength: settings.data.maxResponseLength),
            estimator: settings.algorithm.estimator, advantage: settings.algorithm.advantage,
            miniBatchSize: actor.miniBatchSize * settings.rollout.sampling.responseCount,
            epochs: actor.epochs, shuffles: actor.shuffle,
            shuffleSeed: actor.shuffleSeed,
            rolloutIsExact: settings.rolloutIsExact,
            usesRolloutLogProbabilities: settings.algorithm.usesRolloutLogProbabilities,
            referenceMicroBatches: settings.referenceMicroBatch,
            oldMicroBatches: settings.rollout.logProbabilityMicroBatch)
    }
}

extension AdamWSettings {
    init(_ settings: OptimizerSettings) {
        self.init(
            beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
            weightDecay: settings.weightDecay)
    }
}

extension LearningRateSchedule {
    init(_ settings: OptimizerSettings, totalSteps: Int) {
        self.init(
            shape: settings.schedule, peak: settings.learningRate,
            warmupSteps: settings.warmupSteps(totalSteps: totalSteps), totalSteps: totalSteps,
            minimumRatio: settings.minimumRatio, cycles: settings.cycles)
    }
}

extension RewardSettings {
    /// The reward that the settings name; a user's own process is started.
    func makeReward() async throws -> any RewardFunction {
        if let custom {
            return try await ExternalReward(
                path: custom.path, functionName: custom.name, arguments: custom.arguments,
                timeLimit: .seconds(timeLimit))
        }
        if function == "auto" { return DataSourceReward() }
        return try RewardRule(named: function)
    }
}
