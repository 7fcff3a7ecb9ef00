import Models
import Tensors

/// The half of a run that learns: the actor, and PPO's critic, with their optimizers and schedules.
struct Learner {
    let step: LearningStep
    private let parts: ReinforcementParts
    private let settings: TrainSettings
    private let optimizer: Optimizer
    private let schedule: LearningRateSchedule
    private let critic: CriticPart?

    init(_ parts: ReinforcementParts, _ settings: TrainSettings, totalSteps: Int) {
        self.parts = parts
        self.settings = settings
        let own = settings.actor.optimizer
        schedule = LearningRateSchedule(own, totalSteps: totalSteps)
        optimizer = Optimizer(
            parts.model.policy.parameters, AdamWSettings(own), maximumNorm: own.gradientClip)
        critic = settings.critic.flatMap { own in
            parts.critic.map { CriticPart($0, own, settings, totalSteps: totalSteps) }
        }
        step = LearningStep(
            parts.model.policy, optimizer, reference: parts.reference, critic: critic?.step,
            LearningStepSettings(settings, on: parts.model.policy.decoder.device))
    }

    /// The learning rates of a step; the actor's schedule begins with its first update.
    func rates(step: Int) -> LearningStep.Rates {
        LearningStep.Rates(
            actor: schedule.rate(step: max(0, step - settings.firstActorStep)),
            critic: critic?.schedule.rate(step: step - 1) ?? 0)
    }

    /// The checkpoints of all that learns, in a run's folder.
    func checkpoints(in directory: RunDirectory) -> CheckpointStore {
        CheckpointStore(
            directory, parts.model, optimizer,
            savesOptimizer: settings.actor.checkpoint.savesOptimizer,
            keptCount: settings.trainer.run.keptCheckpoints, reference: parts.reference,
            critic: critic?.checkpoint)
    }
}
