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
