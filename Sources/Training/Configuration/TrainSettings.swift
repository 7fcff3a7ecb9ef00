package import Settings
import Tensors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// All settings of an RL run, read once under verl's key names and never changed.
package struct TrainSettings: Sendable {
    package let data: DataSettings
    package let model: ModelSettings
    package let actor: ActorSettings
    package let rollout: RolloutSettings
    package let reference: ReferenceSettings
    package let algorithm: AlgorithmSettings
    /// PPO's critic; nil when none runs.
    package let critic: CriticSettings?
    package let reward: RewardSettings
    package let trainer: TrainerSettings
    /// The configuration in force, defaults included, and what is to be said about it.
    package let report: SettingsReport

    /// Reads a command's arguments: files and `key=value` overrides.
    ///
    /// - Throws: one sentence that names the key, what was found, where, and what would be right.
    package static func load(
        arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> TrainSettings {
        try TrainSettings(
            SettingsReader(try SettingsTree.load(arguments: arguments, environment: environment)))
    }

    /// Reads every key, then refuses those that were given but do not exist.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let roles = reader.scope("actor_rollout_ref")
        trainer = try TrainerSettings(reader.scope("trainer"))
        model = try ModelSettings(roles.scope("model"))
        data = try DataSettings(reader.scope("data"), defaultSeed: trainer.run.seed)
        actor = try ActorSettings(roles.scope("actor"), trainBatchSize: data.trainBatchSize)
        rollout = try RolloutSettings(
            roles.scope("rollout"), actor: actor.microBatch, defaultSeed: trainer.run.seed)
        reference = try ReferenceSettings(roles.scope("ref"), actor: actor.microBatch)
        algorithm = try AlgorithmSettings(
            reader.scope("algorithm"),
            rolloutIsRounded: rollout.activations == .int8 && rollout.drawsFromWhole)
        critic = try CriticSettings.read(
            reader, model: model, actor: actor, estimator: algorithm.estimator,
            responseCount: rollout.sampling.responseCount, trainBatchSize: data.trainBatchSize)
        try trainer.checkWarmup(reader, hasCritic: critic != nil)
        reward = try RewardSettings(reader, maxResponseLength: data.maxResponseLength)
        try Self.declareOthers(reader)
        try Self.checkBatches(
            reader, group: "actor_rollout_ref.actor", miniBatchSize: actor.miniBatchSize,
            actor.microBatch, responseCount: rollout.sampling.responseCount,
            trainBatchSize: data.trainBatchSize)
        try Self.checkLengths(reader, data, rollout)
        try Self.checkValidation(reader, data, trainer)
        try Self.checkGroups(reader, algorithm, rollout)
        try Self.checkSeveralRewards(reader, algorithm, reward)
        try Self.checkReference(reader, self.reference, model, actor, algorithm)
        try Self.checkBypass(reader, actor, algorithm)
        try Self.checkRolloutBatch(reader, data, algorithm)
        try Self.checkActivations(reader, model, rollout)
        try reader.finish()
        report = SettingsReport(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            ["ray_kwargs", "ray_init", "hydra", "transfer_queue"], because: Reason.internals)
        reader.ignored("global_profiler", because: Reason.profiler)
        reader.ignored(
            ["actor_rollout_ref.hybrid_engine", "actor_rollout_ref.nccl_timeout", "model_engine"],
            because: Reason.oneProcess)
        try reader.unsupported(
            "distillation.enabled", allowed: [false], because: "there is no teacher model yet")
        reader.ignored("distillation", because: "there is no teacher model yet")
        for key in ["rollout", "rollout_tq", "async_rollout"] {
            try reader.unsupported(
                "skip.\(key).enable", allowed: [false],
                because: "rollouts are never taken from a file")
        }
        reader.ignored("skip", because: "rollouts are never taken from a file")
    }
}
