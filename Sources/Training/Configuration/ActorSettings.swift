package import Objectives
import Settings

/// How the policy is updated: the keys `actor_rollout_ref.actor.*`.
package struct ActorSettings: Sendable {
    /// Prompts in a mini-batch, each with all its responses; one optimizer update each.
    package let miniBatchSize: Int
    /// How many samples are computed at once.
    package let microBatch: MicroBatchSettings
    /// How often a step's samples are gone through.
    package let epochs: Int
    /// Whether samples are shuffled before they are cut into mini-batches.
    package let shuffle: Bool
    /// Seed of that shuffling.
    package let shuffleSeed: Int
    /// The loss.
    package let loss: PolicyLossSettings
    /// Whether the loss is named as that of bypass mode.
    let asksForBypass: Bool
    /// The optimizer; its `gradientClip` is `grad_clip`.
    package let optimizer: OptimizerSettings
    /// What checkpoints hold.
    package let checkpoint: CheckpointSettings

    /// Reads `actor_rollout_ref.actor.*`.
    init(_ reader: SettingsReader, trainBatchSize: Int) throws(SettingsError) {
        miniBatchSize = try reader.derived("data.train_batch_size, at most 256").int(
            "ppo_mini_batch_size", default: min(256, trainBatchSize), in: .atLeast(1),
            "Prompts in a mini-batch; 256, or all of a smaller step, unless set.")
        microBatch = try MicroBatchSettings(reader, .update)
        epochs = try reader.int(
            "ppo_epochs", default: 1, in: .atLeast(1),
            "How often a step's samples are gone through.")
        shuffle = try reader.bool(
            "shuffle", default: false, "Shuffle samples before they are cut into mini-batches.")
        shuffleSeed = try reader.int(
            "data_loader_seed", default: 42, "Seed of the shuffling of samples.")
        loss = try PolicyLossSettings(reader)
        asksForBypass = try PolicyLossSettings.asksForBypass(reader)
        optimizer = try Self.optimizer(reader)
        checkpoint = try CheckpointSettings(reader.scope("checkpoint"))
        try Self.declareOthers(reader)
    }

    /// verl has the clipping norm in two places; when both are given they must agree.
    static func optimizer(
        _ reader: SettingsReader, defaults: OptimizerSettings.Defaults = .init()
    ) throws(SettingsError) -> OptimizerSettings {
        let optimizer = try OptimizerSettings(reader.scope("optim"), defaults: defaults)
        let clip = try reader.derived("as optim.clip_grad").double(
            "grad_clip", default: optimizer.gradientClip, in: .above(0),
            "Gradients of a larger global norm are scaled down to this one.")
        if clip == optimizer.gradientClip { return optimizer }
        guard reader.isGiven("optim.clip_grad") else {
            var defaults = defaults
            defaults.gradientClip = clip
            return try OptimizerSettings(reader.scope("optim"), defaults: defaults)
        }
        throw reader.conflict(
            ["grad_clip", "optim.clip_grad"], "both clip the same gradient, so set only one")
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            "calculate_entropy", because: "the entropy is always computed, at no cost")
        reader.ignored(
            "calculate_sum_pi_squared",
            because: "the sums of squared probabilities come with the log-probabilities")
        reader.ignoredEngines()
        try reader.ignoredFSDP("fsdp_config")
        reader.ignored(["use_remove_padding", "pad_to_length"], because: Reason.packed)
        reader.ignored(
            "use_prefix_grouper", because: "a group's prompt is always computed once")
        reader.ignoredHead()
        reader.ignored("use_fused_kernels", because: Reason.fusedHead)
        reader.ignored(["load_weight", "rollout_n"], because: Reason.internals)
        reader.ignored("profiler", because: Reason.profiler)
        reader.ignored("freeze_vision_tower", because: Reason.textOnly)
        reader.ignored("ulysses_sequence_parallel_size", because: Reason.oneProcess)
        try reader.refuseQuantizedTraining()
        try reader.refuseRouterReplay()
    }
}
