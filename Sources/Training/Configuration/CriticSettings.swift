import Formats
package import Objectives
import Settings

/// The critic of PPO: the keys `critic.*`.
package struct CriticSettings: Sendable {
    /// Folder of the checkpoint that the critic is made on.
    package let path: String
    /// Whether that is the actor's, quantised alike, whose weights then serve both.
    package let sharesActorBase: Bool
    /// The critic's own adapter; rank 0 trains a whole model.
    package let lora: LoRASettings
    /// How the critic's frozen weights are quantised.
    package let quantization: QuantizationSettings
    /// What of the activations is kept for the backward pass.
    package let activationMemory: ActivationMemory
    /// Prompts in a mini-batch, each with all its responses; one optimizer update each.
    package let miniBatchSize: Int
    /// How many samples are computed at once in the update.
    package let microBatch: MicroBatchSettings
    /// How many samples are computed at once where only values are wanted.
    package let valueMicroBatch: MicroBatchSettings
    /// How often a step's samples are gone through.
    package let epochs: Int
    /// Whether samples are shuffled before they are cut into mini-batches.
    package let shuffle: Bool
    /// Seed of that shuffling.
    package let shuffleSeed: Int
    /// The loss.
    package let loss: ValueLossSettings
    /// The optimizer; its `gradientClip` is `grad_clip`.
    package let optimizer: OptimizerSettings
    /// What checkpoints hold.
    package let checkpoint: CheckpointSettings

    /// Reads `critic.*`; what is not given is the actor's where verl has it so.
    private init(
        _ reader: SettingsReader, model: ModelSettings, actor: ActorSettings
    ) throws(SettingsError) {
        let base = reader.scope("model")
        path = try base.derived("as actor_rollout_ref.model.path").path(
            "path", default: model.path,
            "Folder of the checkpoint that the critic is made on; the actor's unless set, whose"
                + " weights then serve both.")
        let isActorsPath = canonicalPath(path) == canonicalPath(model.path)
        lora = try LoRASettings(base, inheriting: model.lora)
        quantization = try QuantizationSettings(
            base, lora: lora, inheriting: model.quantization, sharesBase: isActorsPath)
        sharesActorBase = isActorsPath && quantization.kind == model.quantization.kind
        activationMemory = try ActivationMemory(base, inherited: model.activationMemory)
        miniBatchSize = try reader.derived("as actor_rollout_ref.actor.ppo_mini_batch_size").int(
            "ppo_mini_batch_size", default: actor.miniBatchSize, in: .atLeast(1),
            "Prompts in a mini-batch of the critic; the actor's number unless set.")
        microBatch = try MicroBatchSettings(reader, .update, inherited: actor.microBatch)
        valueMicroBatch = try Self.valueMicroBatch(reader, update: microBatch)
        epochs = try reader.derived("as actor_rollout_ref.actor.ppo_epochs").int(
            "ppo_epochs", default: actor.epochs, in: .atLeast(1),
            "How often the critic goes through a step's samples; as the actor unless set.")
        shuffle = try reader.derived("as actor_rollout_ref.actor.shuffle").bool(
            "shuffle", default: actor.shuffle,
            "Shuffle the critic's samples before they are cut into mini-batches.")
        shuffleSeed = try reader.derived("as actor_rollout_ref.actor.data_loader_seed").int(
            "data_loader_seed", default: actor.shuffleSeed, "Seed of that shuffling.")
        loss = try Self.loss(reader, actor: actor)
        optimizer = try ActorSettings.optimizer(
            reader, defaults: OptimizerSettings.Defaults(learningRate: 1e-5))
        checkpoint = try CheckpointSettings(reader.scope("checkpoint"))
        try Self.declareModel(base, model)
        try Self.declareOthers(reader)
    }

    /// The forward keys follow those of the update where they are not given.
    private static func valueMicroBatch(
        _ reader: SettingsReader, update: MicroBatchSettings
    ) throws(SettingsError) -> MicroBatchSettings {
        let sizeKey = "forward_micro_batch_size_per_gpu"
        let tokensKey = "forward_max_token_len_per_gpu"
        var (inheritedSize, inheritedTokens) = (Int?.none, 16384)
        switch update {
        case .samples(let size): inheritedSize = size
        case .tokens(let budget): inheritedTokens = budget
        }
        let size = try reader.derived("as ppo_micro_batch_size_per_gpu").optionalInt(
            sizeKey, default: inheritedSize, in: .atLeast(1),
            "Samples whose values are computed at once; as in the update unless set.")
        let tokens = try reader.derived("as ppo_max_token_len_per_gpu").int(
            tokensKey, default: inheritedTokens, in: .atLeast(1),
            "Budget of tokens whose values are computed at once, where they are counted.")
        guard let size else { return .tokens(tokens) }
        if reader.isGiven(sizeKey), reader.isGiven(tokensKey) {
            reader.unused(tokensKey, because: "samples are counted by '\(reader.fullKey(sizeKey))'")
        }
        return .samples(size)
    }

    private static func loss(
        _ reader: SettingsReader, actor: ActorSettings
    ) throws(SettingsError) -> ValueLossSettings {
        let range = try reader.double(
            "cliprange_value", default: 0.5, in: .above(0),
            "How far a value may move from the one before the step's first update.")
        let aggregation = try reader.derived("as actor_rollout_ref.actor.loss_agg_mode").choice(
            "loss_agg_mode", default: actor.loss.aggregation,
            "How the critic's token losses become one; as the actor's unless set.")
        do throws(ObjectiveError) {
            return try ValueLossSettings(clipRange: range, aggregation: aggregation)
        } catch {
            throw SettingsError("'\(reader.prefix)': \(error)")
        }
    }
}

extension CriticSettings {
    /// Reads `critic.*`; nil when no critic runs: it does exactly where the estimator needs values.
    ///
    /// - Parameters:
    ///   - root: reads from the top of the tree.
    /// - Throws: also when `critic.enable` contradicts the estimator, or the batches do not fit.
    static func read(
        _ root: SettingsReader, model: ModelSettings, actor: ActorSettings,
        estimator: AdvantageEstimator, responseCount: Int, trainBatchSize: Int
    ) throws(SettingsError) -> CriticSettings? {
        let reader = root.scope("critic")
        let isEnabled = try reader.optionalBool(
            "enable", "Whether a critic runs; null for exactly where adv_estimator needs values.")
        let isNeeded = estimator.needs.contains(.values)
        if let isEnabled, isEnabled != isNeeded {
            throw root.conflict(
                ["critic.enable", "algorithm.adv_estimator"],
                isNeeded
                    ? "the estimator needs a critic's values, so leave critic.enable out"
                    : "the estimator uses no values, so leave critic.enable out or set the"
                        + " estimator to gae")
        }
        guard isNeeded else {
            try reader.quietly { () throws(SettingsError) in
                _ = try CriticSettings(reader, model: model, actor: actor)
            }
            noteUnused(reader, estimator)
            return nil
        }
        let settings = try CriticSettings(reader, model: model, actor: actor)
        try TrainSettings.checkBatches(
            root, group: "critic", miniBatchSize: settings.miniBatchSize, settings.microBatch,
            responseCount: responseCount, trainBatchSize: trainBatchSize)
        let givesRank = reader.isGiven("model.lora_rank") || settings.lora.adapterPath != nil
        if model.lora.isOn, model.lora.rank == nil, !givesRank {
            throw root.conflict(
                ["critic.model.lora_rank", "actor_rollout_ref.model.lora_adapter_path"],
                "the actor's rank is that of its adapter, so set the critic's own rank")
        }
        if let rank = settings.lora.rank, model.lora.isOn, !givesRank {
            reader.note(
                "'critic.model.lora_rank' is not set: the critic is an adapter of the actor's rank"
                    + " \(rank), where verl would train a whole model; set it to 0"
                    + " for that.")
        }
        return settings
    }

    /// One line for all keys of a critic that does not run.
    private static func noteUnused(_ reader: SettingsReader, _ estimator: AdvantageEstimator) {
        let given = reader.declarations.first {
            $0.key.hasPrefix("critic.") && $0.key != "critic.enable" && $0.differsFromDefault
        }
        guard let given else { return }
        reader.note(
            "'\(given.key)' (\(given.origin)) and what else is set of the critic has no effect: no"
                + " critic runs, because adv_estimator=\(estimator.name) uses no values.")
    }

    private static func declareModel(
        _ reader: SettingsReader, _ model: ModelSettings
    ) throws(SettingsError) {
        reader.ignored(
            ["tokenizer_path", "custom_chat_template"],
            because: "a critic reads the token ids that the actor wrote")
        try ModelSettings.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        for (key, present) in [
            ("forward_micro_batch_size", "forward_micro_batch_size_per_gpu"),
            ("ppo_infer_micro_batch_size_per_gpu", "forward_micro_batch_size_per_gpu"),
            ("ppo_infer_max_token_len_per_gpu", "forward_max_token_len_per_gpu"),
        ] {
            try reader.unsupported(
                key, allowed: [nil], because: "it is another name; write \(present)")
        }
        try reader.unsupported(
            "loss_scale_factor", allowed: [nil],
            because: "the critic's loss is divided as loss_agg_mode says")
        reader.ignoredEngines()
        reader.ignored("engine", because: Reason.oneCopy)
        for group in ["fsdp", "fsdp_config"] { try reader.ignoredFSDP(group) }
        reader.ignored(
            ["load_weight", "rollout_n", "nccl_timeout", "model_config"],
            because: Reason.internals)
        reader.ignored("profiler", because: Reason.profiler)
        reader.ignored("ulysses_sequence_parallel_size", because: Reason.oneProcess)
    }
}
