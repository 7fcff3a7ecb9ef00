import Settings

/// Which prompts a run reads and how many a step takes: the keys `data.*`.
package struct DataSettings: Sendable {
    /// Files of the training prompts, read in this order as one data set.
    package let trainFiles: [String]
    /// Files of the validation prompts; empty for a run without validation.
    package let validationFiles: [String]
    /// How a row becomes a prompt.
    package let prompts: PromptSettings
    /// Longest response in tokens.
    package let maxResponseLength: Int
    /// Prompts in a step.
    package let trainBatchSize: Int
    /// Prompts that are sampled at once; more than a step's only where groups are left out.
    package let rolloutBatchSize: Int
    /// Whether the training prompts change their order every epoch.
    package let shuffle: Bool
    /// Seed of that order, and of the choice of rows where their number is limited.
    package let seed: Int
    /// How many training rows are used; nil for all.
    package let trainMaxSamples: Int?
    /// How many validation rows are used; nil for all.
    package let validationMaxSamples: Int?

    /// Reads `data.*`; `defaultSeed` is used where the key has none of its own.
    init(_ reader: SettingsReader, defaultSeed: Int) throws(SettingsError) {
        trainFiles = try reader.requiredPaths(
            "train_files", "JSON-lines files of the training prompts.")
        validationFiles = try reader.paths(
            "val_files", "JSON-lines files of the validation prompts.")
        prompts = try PromptSettings(reader)
        maxResponseLength = try reader.int(
            "max_response_length", default: 512, in: .atLeast(1), "Longest response in tokens.")
        trainBatchSize = try reader.int(
            "train_batch_size", default: 1024, in: .atLeast(1), "Prompts in a step.")
        rolloutBatchSize =
            try reader.optionalInt(
                "gen_batch_size", in: .atLeast(1),
                "Prompts sampled at once, where algorithm.filter_groups leaves groups out; null for"
                    + " train_batch_size.") ?? trainBatchSize
        shuffle = try reader.bool(
            "shuffle", default: true, "Put the training prompts in a new order every epoch.")
        seed =
            try reader.optionalInt(
                "seed", "Seed of the order of the prompts; null for trainer.seed.") ?? defaultSeed
        trainMaxSamples = try reader.sampleLimit("train_max_samples")
        validationMaxSamples = try reader.sampleLimit("val_max_samples")
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            "validation_shuffle", because: "every validation prompt counts, in whatever order")
        reader.ignored("val_batch_size", because: "the whole validation set is one batch")
        reader.ignored(
            ["dataloader_num_workers", "filter_overlong_prompts_workers"],
            because: "prompts are tokenised once, when the run starts")
        reader.ignored(
            ["return_raw_chat", "return_raw_input_ids", "return_full_prompt"],
            because: "a row always keeps its messages and its token ids")
        reader.ignored(
            [
                "image_key", "video_key", "audio_key", "image_patch_size", "mm_processor_kwargs",
                "return_multi_modal_inputs",
            ], because: Reason.textOnly)
        reader.ignored("trust_remote_code", because: "code of a checkpoint is never run")
        reader.ignored("use_shm", because: "data is read once, where it lies, and kept in memory")
        let noPlugins = "Python classes cannot be loaded; give JSON-lines files"
        for key in [
            "custom_cls.path", "custom_cls.name", "sampler.class_path", "sampler.class_name",
            "datagen.path", "datagen.name",
        ] {
            try reader.unsupported(key, allowed: [nil], because: noPlugins)
        }
        try reader.unsupported(
            "tokenizer", allowed: [nil],
            because: "the tokenizer is that of actor_rollout_ref.model.tokenizer_path")
        for key in ["tool_config_path", "function_tool_path"] {
            try reader.unsupported(
                key, allowed: [nil], because: "rollouts cannot call tools yet")
        }
        try reader.unsupported(
            "need_tools_kwargs", allowed: [false], because: "rollouts cannot call tools yet")
    }
}
