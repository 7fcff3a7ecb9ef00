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
        trainFiles = try reader.requiredPaths(
            "train_files", "JSON-lines files of the training rows.")
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
        for key in ["custom_cls.path", "custom_cls.name"] {
            try reader.unsupported(
                key, allowed: [nil],
                because: "Python classes cannot be loaded; give JSON-lines files")
        }
        reader.ignored(["balance_dp_token", "num_workers"], because: Reason.oneProcess)
        reader.ignored("use_shm", because: "data is read once, where it lies, and kept in memory")
        try reader.unsupported(
            "pad_mode", allowed: ["no_padding", "left_right", "right", nil], because: Reason.packed)
        reader.ignored(
            ["multiturn.enable", "multiturn.messages_key"],
            because: "rows with the field that data.messages_key names are read without a switch")
        reader.ignored(
            ["tools_key", "multiturn.tools_key"], because: "rows with tools are not known here")
        reader.ignored(
            [
                "enable_thinking_key", "enable_thinking_default", "multiturn.enable_thinking_key",
            ],
            because: "data.apply_chat_template_kwargs={enable_thinking: ...} says it for all rows")
        reader.ignored(["image_key", "video_key"], because: Reason.textOnly)
        reader.ignored(
            "ignore_input_ids_mismatch",
            because: "a conversation is laid out once, as a whole, and never joined from turns")
        try reader.unsupported(
            "chat_template", allowed: [nil], because: "write model.custom_chat_template")
    }
}
