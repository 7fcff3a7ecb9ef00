package import Formats
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
    /// Whether the training prompts change their order every epoch.
    package let shuffle: Bool
    /// Whether the validation prompts are shuffled once.
    package let validationShuffle: Bool
    /// Seed of both orders.
    package let seed: Int
    /// How many training rows are used; nil for all.
    package let trainMaxSamples: Int?
    /// How many validation rows are used; nil for all.
    package let validationMaxSamples: Int?

    /// Reads `data.*`; `defaultSeed` is used where the key has none of its own.
    init(_ reader: SettingsReader, defaultSeed: Int) throws(SettingsError) {
        let help = "JSON-lines files of the training prompts."
        trainFiles = try reader.paths("train_files", help)
        guard !trainFiles.isEmpty else { throw reader.missing("train_files", help) }
        validationFiles = try reader.paths(
            "val_files", "JSON-lines files of the validation prompts.")
        prompts = try PromptSettings(reader)
        maxResponseLength = try reader.int(
            "max_response_length", default: 512, in: .atLeast(1), "Longest response in tokens.")
        trainBatchSize = try reader.int(
            "train_batch_size", default: 1024, in: .atLeast(1), "Prompts in a step.")
        shuffle = try reader.bool(
            "shuffle", default: true, "Put the training prompts in a new order every epoch.")
        validationShuffle = try reader.bool(
            "validation_shuffle", default: false, "Shuffle the validation prompts.")
        seed =
            try reader.optionalInt(
                "seed", "Seed of the order of the prompts; null for trainer.seed.") ?? defaultSeed
        trainMaxSamples = try reader.sampleLimit("train_max_samples")
        validationMaxSamples = try reader.sampleLimit("val_max_samples")
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored("val_batch_size", because: "the whole validation set is one batch")
        reader.ignored(
            ["dataloader_num_workers", "filter_overlong_prompts_workers"],
            because: "prompts are tokenised once, when the run starts")
        reader.ignored(
            ["return_raw_chat", "return_raw_input_ids", "return_full_prompt"],
            because: "a row always keeps its messages and its token ids")
        reader.ignored(
            ["image_key", "video_key", "image_patch_size", "return_multi_modal_inputs"],
            because: "models here read text only")
        reader.ignored("trust_remote_code", because: "code of a checkpoint is never run")
        reader.ignored("use_shm", because: "files are read where they are")
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
        try reader.unsupported(
            "tool_config_path", allowed: [nil], because: "rollouts cannot call tools yet")
        try reader.unsupported(
            "need_tools_kwargs", allowed: [false], because: "rollouts cannot call tools yet")
    }
}

/// How a row of a file becomes a prompt of token ids.
package struct PromptSettings: Sendable {
    /// Field with the prompt: a text, or a list of messages (`data.prompt_key`).
    package let promptKey: String
    /// Field that says where a row is from, which chooses its reward (`data.reward_fn_key`).
    package let sourceKey: String
    /// Field with the expected answer in rows without verl's `reward_model` (`data.answer_key`).
    package let answerKey: String
    /// Longest prompt in tokens.
    package let maxLength: Int
    /// What happens to a longer prompt.
    package let truncation: PromptTruncation
    /// Whether longer prompts are left out, which comes before any truncation.
    package let filterOverlong: Bool
    /// What the chat template is given besides the messages, such as `enable_thinking`.
    package let chatTemplateArguments: JSONObject

    /// Settings made in code; the defaults are those of the keys.
    package init(
        promptKey: String = "prompt", sourceKey: String = "data_source",
        answerKey: String = "answer", maxLength: Int = 512, truncation: PromptTruncation = .error,
        filterOverlong: Bool = false, chatTemplateArguments: JSONObject = JSONObject()
    ) {
        self.promptKey = promptKey
        self.sourceKey = sourceKey
        self.answerKey = answerKey
        self.maxLength = maxLength
        self.truncation = truncation
        self.filterOverlong = filterOverlong
        self.chatTemplateArguments = chatTemplateArguments
    }

    /// Reads the keys of `data.*` that concern single rows.
    init(_ reader: SettingsReader) throws(SettingsError) {
        promptKey = try reader.string(
            "prompt_key", default: "prompt",
            "Field of a row with the prompt: a text, or a list of chat messages.")
        sourceKey = try reader.string(
            "reward_fn_key", default: "data_source",
            "Field of a row that says where it is from; the reward is chosen by it.")
        answerKey = try reader.string(
            "answer_key", default: "answer",
            "Field with the expected answer in rows that have no 'reward_model'.")
        maxLength = try reader.int(
            "max_prompt_length", default: 512, in: .atLeast(1), "Longest prompt in tokens.")
        truncation = try reader.choice(
            "truncation", default: PromptTruncation.error,
            "What is cut from a prompt that is too long; error stops the run.")
        filterOverlong = try reader.bool(
            "filter_overlong_prompts", default: false, "Leave out prompts that are too long.")
        chatTemplateArguments = try reader.jsonObject(
            "apply_chat_template_kwargs", "Further values for the chat template.")
    }
}

/// What is cut from a prompt that has too many tokens (`data.truncation`).
package enum PromptTruncation: String, CaseIterable, Sendable {
    /// Nothing: it is an error that names the row.
    case error
    /// The beginning.
    case left
    /// The end.
    case right
    /// The middle: half of the room goes to the beginning, the rest to the end.
    case middle

    /// The ids that stay of a prompt, or nil where there are too many and nothing may be cut.
    package func apply(to ids: [Int32], maxLength: Int) -> [Int32]? {
        guard ids.count > maxLength else { return ids }
        switch self {
        case .error: return nil
        case .left: return Array(ids.suffix(maxLength))
        case .right: return Array(ids.prefix(maxLength))
        case .middle:
            let head = maxLength / 2
            return Array(ids.prefix(head) + ids.suffix(maxLength - head))
        }
    }
}

extension SettingsReader {
    /// A number of samples, where -1 stands for all of them.
    func sampleLimit(_ key: String) throws(SettingsError) -> Int? {
        let limit = try int(
            key, default: -1, in: .atLeast(1).or(-1), "How many rows are used; -1 for all.")
        return limit == -1 ? nil : limit
    }

    /// An interval in steps, where -1 stands for never.
    func stepInterval(_ key: String, _ help: String) throws(SettingsError) -> Int? {
        let interval = try int(key, default: -1, in: .atLeast(1).or(-1), help)
        return interval == -1 ? nil : interval
    }

    /// A map of any values; empty when null.
    func jsonObject(_ key: String, _ help: String) throws(SettingsError) -> JSONObject {
        guard let node = try value(key, type: "a map", help) else { return JSONObject() }
        guard case .object(let object) = JSON(node) else {
            throw invalid(key, "must be a map such as {name: value}")
        }
        return object
    }
}
