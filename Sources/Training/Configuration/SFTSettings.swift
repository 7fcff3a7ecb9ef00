package import Settings

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// All settings of supervised fine-tuning, read once under the names of verl's SFT trainer.
package struct SFTSettings: Sendable {
    package let model: ModelSettings
    package let data: SFTDataSettings
    package let optimizer: OptimizerSettings
    package let trainer: SFTTrainerSettings
    /// The configuration in force, defaults included, and what is to be said about it.
    package let report: SettingsReport

    /// Reads a command's arguments: files and `key=value` overrides.
    ///
    /// - Throws: one sentence that names the key, what was found, where, and what would be right.
    package static func load(
        arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> SFTSettings {
        try SFTSettings(
            SettingsReader(try SettingsTree.load(arguments: arguments, environment: environment)))
    }

    /// Reads every key, then refuses those that were given but do not exist.
    init(_ reader: SettingsReader) throws(SettingsError) {
        model = try ModelSettings(reader.scope("model"), earlierName: "partial_pretrain")
        data = try SFTDataSettings(reader.scope("data"))
        optimizer = try Self.optimizer(reader.scope("optim"))
        trainer = try SFTTrainerSettings(
            reader.scope("trainer"), checkpoint: reader.scope("checkpoint"))
        try Self.declareOthers(reader)
        if data.validationFiles.isEmpty, trainer.run.validationInterval != nil {
            throw reader.conflict(
                ["trainer.test_freq", "data.val_files"],
                "validation needs data.val_files=FILE.jsonl")
        }
        try reader.finish()
        report = SettingsReport(reader)
    }

    private static func optimizer(_ reader: SettingsReader) throws(SettingsError)
        -> OptimizerSettings
    {
        let ratio = try reader.optionalDouble(
            "warmup_steps_ratio", in: .between(0, 1), "An earlier name of lr_warmup_steps_ratio.")
        let optimizer = try OptimizerSettings(
            reader,
            defaults: OptimizerSettings.Defaults(
                learningRate: 1e-5, betas: [0.9, 0.95], schedule: .cosine,
                warmupRatio: ratio ?? 0.1, unit: "Updates"))
        if let ratio, ratio != optimizer.warmupRatio {
            throw reader.conflict(
                ["warmup_steps_ratio", "lr_warmup_steps_ratio"],
                "both mean the warm-up, so keep one")
        }
        return optimizer
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored("ulysses_sequence_parallel_size", because: Reason.oneProcess)
        reader.ignored("use_remove_padding", because: Reason.packed)
        reader.ignoredChoice("engine", because: Reason.oneCopy)
        try reader.ignoredFSDP("engine")
        reader.ignored("profiler", because: Reason.profiler)
        reader.ignored("hydra", because: Reason.internals)
    }
}
