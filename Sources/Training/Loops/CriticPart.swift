import Models
import Tensors

/// A run's critic with what it is trained and saved by.
struct CriticPart {
    let step: CriticStep
    let checkpoint: CriticCheckpoint
    let schedule: LearningRateSchedule

    /// - Parameters:
    ///   - own: the critic's settings, which `settings` hold.
    init(
        _ critic: TrainedCritic, _ own: CriticSettings, _ settings: TrainSettings, totalSteps: Int
    ) {
        let optimizer = Optimizer(
            critic.parameters, AdamWSettings(own.optimizer),
            maximumNorm: own.optimizer.gradientClip)
        step = CriticStep(
            critic, optimizer, CriticStepSettings(own, settings, on: critic.decoder.device))
        checkpoint = CriticCheckpoint(
            critic, optimizer, savesOptimizer: own.checkpoint.savesOptimizer,
            keptCount: settings.trainer.keptCriticCheckpoints)
        schedule = LearningRateSchedule(own.optimizer, totalSteps: totalSteps)
    }
}

extension CriticStepSettings {
    fileprivate init(_ own: CriticSettings, _ settings: TrainSettings, on device: Device) {
        self.init(
            update: ValueUpdateSettings(
                loss: own.loss, microBatches: own.microBatch,
                kept: own.activationMemory.kept(on: device),
                paddedResponseLength: settings.data.maxResponseLength),
            miniBatches: MiniBatches(
                size: own.miniBatchSize * settings.rollout.sampling.responseCount,
                epochs: own.epochs, shuffles: own.shuffle, seed: own.shuffleSeed),
            valueMicroBatches: own.valueMicroBatch)
    }
}
