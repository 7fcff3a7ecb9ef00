import Formats
import Objectives
import Rewards
import Rollouts
import Tensors

// How the settings of a run become those of its parts.

extension TrainSettings {
    /// Steps of the whole run.
    ///
    /// - Throws: when all epochs together have too few prompts for one.
    func totalSteps(batchesPerEpoch: Int) throws(TrainingError) -> Int {
        // Where groups are left out, a step takes at least as many batches as fill it.
        let (wanted, sampled) = (data.trainBatchSize, data.rolloutBatchSize)
        let batchesPerStep = (wanted + sampled - 1) / sampled
        let steps = trainer.run.totalEpochs * batchesPerEpoch / batchesPerStep
        guard steps > 0 else {
            throw TrainingError(
                "data.train_batch_size is \(wanted), but trainer.total_epochs="
                    + "\(trainer.run.totalEpochs) gives only \(batchesPerEpoch * trainer.run.totalEpochs) "
                    + "batches of data.gen_batch_size=\(sampled) prompts: too few for one step.")
        }
        return min(trainer.run.totalSteps ?? .max, steps)
    }

    /// The first step that updates the actor; before it the critic learns alone.
    var firstActorStep: Int { max(1, trainer.criticWarmup) }

    /// Whether the log-probabilities of rollouts are the policy's own, to the last bit. A GPU sums
    /// the products of few rows in another order than those of many.
    func rolloutIsExact(on device: Device) -> Bool {
        device.isHost && rollout.drawsFromWhole && rollout.activations == .float32
    }
}

extension EngineSettings {
    init(_ settings: TrainSettings) {
        self.init()
        maxSequences = settings.rollout.maxSequences
        maxBatchedTokens = settings.rollout.maxBatchedTokens
        chunksPrompts = settings.rollout.chunksPrompts
        cacheLimit = .memoryShare(settings.rollout.cacheMemoryShare)
        reusesPrefixes = settings.rollout.reusesPrefixes
        activations = settings.rollout.activations
        // No more than rollout.max_model_len, which is checked where the settings are read.
        maxModelLength = settings.data.prompts.maxLength + settings.data.maxResponseLength
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

extension LearningStepSettings {
    /// - Parameter device: has all that the run needs between two steps.
    init(_ settings: TrainSettings, on device: Device) {
        let (actor, algorithm) = (settings.actor, settings.algorithm)
        let oldPolicy = algorithm.oldPolicy
        self.init(
            update: PolicyUpdateSettings(
                loss: actor.loss,
                bypass: oldPolicy.source == .rollout
                    ? BypassSettings(
                        loss: oldPolicy.bypassLoss, correction: oldPolicy.correction) : nil,
                temperature: Float(settings.rollout.sampling.temperature),
                microBatches: actor.microBatch,
                kept: settings.model.activationMemory.kept(on: device),
                paddedResponseLength: settings.data.maxResponseLength),
            miniBatches: MiniBatches(
                size: actor.miniBatchSize * settings.rollout.sampling.responseCount,
                epochs: actor.epochs, shuffles: actor.shuffle, seed: actor.shuffleSeed),
            estimator: algorithm.estimator, advantage: algorithm.advantage,
            rewardPenalty: algorithm.rewardPenalty, oldPolicy: oldPolicy,
            resampling: algorithm.resampling,
            seed: UInt64(bitPattern: Int64(settings.trainer.run.seed)),
            masksTruncated: algorithm.masksTruncated,
            rolloutIsExact: settings.rolloutIsExact(on: device),
            rolloutIsWhole: settings.rollout.drawsFromWhole,
            referenceMicroBatches: settings.reference.microBatch,
            oldMicroBatches: settings.rollout.logProbabilityMicroBatch,
            firstActorStep: settings.firstActorStep)
    }
}

extension StepRollout.Settings {
    init(_ settings: TrainSettings, stopIDs: Set<Int32>) {
        let sampling = settings.rollout.sampling
        let greedy = ResponseSampling(temperature: 0, topK: nil, topP: 1, responseCount: 1)
        let needsBaseline = settings.algorithm.estimator.needs.contains(.greedyScores)
        self.init(
            promptCount: settings.data.trainBatchSize,
            responsesPerPrompt: sampling.responseCount,
            sampling: Rollouts.SamplingSettings(sampling, settings, stopIDs: stopIDs),
            baselineSampling: needsBaseline
                ? Rollouts.SamplingSettings(greedy, settings, stopIDs: stopIDs) : nil,
            filter: settings.algorithm.groupFilter, epochs: settings.trainer.run.totalEpochs)
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
