package import Formats
import Settings

/// Which conversations supervised fine-tuning learns from: the keys `data.*`.
package struct SFTDataSettings: Sendable {
    /// Files of the training rows.
    package let trainFiles: [String]
    /// Files of the validation rows; empty for a run without validation.
    package let validationFiles: [String]
    /// How a row becomes a prompt and a response.
    package let rows: ResponseRowSettings
    /// Rows in an update.
    package let trainBatchSize: Int
    /// How many rows are computed at once.
    package let microBatch: MicroBatchSettings
    /// How many training rows are used; nil for all.
    package let trainMaxSamples: Int?
    /// How many validation rows are used; nil for all.
    package let validationMaxSamples: Int?

    /// Reads `data.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let help = "JSON-lines files of the training rows."
        trainFiles = try reader.paths("train_files", help)
        guard !trainFiles.isEmpty else { throw reader.missing("train_files", help) }
        validationFiles = try reader.paths("val_files", "JSON-lines files of validation rows.")
        rows = try ResponseRowSettings(reader)
        trainBatchSize = try reader.int(
            "train_batch_size", default: 256, in: .atLeast(1), "Rows in an update.")
        microBatch = try MicroBatchSettings(reader, .supervised)
        trainMaxSamples = try reader.sampleLimit("train_max_samples")
        validationMaxSamples = try reader.sampleLimit("val_max_samples")
        if case .samples(let size) = microBatch, !trainBatchSize.isMultiple(of: size) {
            throw reader.conflict(
                ["train_batch_size", "micro_batch_size_per_gpu"],
                "the first must be a multiple of the second")
        }
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        for key in ["micro_batch_size", "custom_cls.path", "custom_cls.name"] {
            try reader.unsupported(
                key, allowed: [nil],
                because: key == "micro_batch_size"
                    ? "verl has given it up; write micro_batch_size_per_gpu"
                    : "Python classes cannot be loaded; give JSON-lines files")
        }
        reader.ignored(
            ["balance_dp_token", "use_shm", "pad_mode", "num_workers"],
            because: "rows are laid end to end in one process, without padding")
        reader.ignored(
            ["multiturn", "tools_key", "image_key", "video_key"],
            because: "rows with 'messages' are read without a switch, and texts only")
        for key in ["prompt_dict_keys", "response_dict_keys"] {
            try reader.unsupported(
                key, allowed: [nil], because: "prompt_key and response_key name plain fields")
        }
    }
}

/// How a row becomes a prompt and the response that is learned.
package struct ResponseRowSettings: Sendable {
    /// Field with the prompt: a text, or a list of messages.
    package let promptKey: String
    /// Field with the response, a text.
    package let responseKey: String
    /// Field with a whole conversation, whose last message is the response.
    package let messagesKey: String
    /// Longest prompt with response in tokens.
    package let maxLength: Int
    /// What is cut from a longer row.
    package let truncation: PromptTruncation
    /// What the chat template is given besides the messages.
    package let chatTemplateArguments: JSONObject

    /// Settings made in code; the defaults are those of the keys.
    package init(
        promptKey: String = "prompt", responseKey: String = "response",
        messagesKey: String = "messages", maxLength: Int = 1024,
        truncation: PromptTruncation = .error, chatTemplateArguments: JSONObject = JSONObject()
    ) {
        self.promptKey = promptKey
        self.responseKey = responseKey
        self.messagesKey = messagesKey
        self.maxLength = maxLength
        self.truncation = truncation
        self.chatTemplateArguments = chatTemplateArguments
    }

    /// Reads the keys of `data.*` that concern single rows.
    init(_ reader: SettingsReader) throws(SettingsError) {
        promptKey = try reader.string(
            "prompt_key", default: "prompt",
            "Field of a row with the prompt: a text, or a list of chat messages.")
        responseKey = try reader.string(
            "response_key", default: "response", "Field of a row with the response, a text.")
        messagesKey = try reader.string(
            "messages_key", default: "messages",
            "Field of a row with a whole conversation; its last message is the response.")
        maxLength = try reader.int(
            "max_length", default: 1024, in: .atLeast(2),
            "Longest prompt with response in tokens.")
        truncation = try reader.choice(
            "truncation", default: PromptTruncation.error,
            "What is cut from a row that is too long; error stops the run.")
        chatTemplateArguments = try reader.jsonObject(
            "apply_chat_template_kwargs", "Further values for the chat template.")
    }
}
