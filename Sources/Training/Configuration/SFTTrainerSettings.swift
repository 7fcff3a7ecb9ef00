import Settings

/// How long supervised fine-tuning goes on and what it leaves behind: the keys `trainer.*`.
package struct SFTTrainerSettings: Sendable {
    /// How often the training rows are gone through.
    package let totalEpochs: Int
    /// Updates after which the run ends; nil for what the epochs give.
    package let totalSteps: Int?
    /// The folder of the run.
    package let folder: String
    /// Updates between checkpoints; nil for one at the end only.
    package let saveInterval: Int?
    /// Updates between validations; nil for one at the end only.
    package let validationInterval: Int?
    /// Checkpoints that are kept, the newest ones; nil for all.
    package let keptCheckpoints: Int?
    /// Where the run starts.
    package let resume: ResumeSettings
    /// What checkpoints hold.
    package let checkpoint: CheckpointSettings
    /// Threads that compute; 0 for one a core.
    package let threads: Int
    /// Seed of the order of the rows and of a fresh adapter.
    package let seed: Int

    /// Reads `trainer.*`, and `checkpoint.*` where verl has it since.
    init(_ reader: SettingsReader, checkpoint group: SettingsReader) throws(SettingsError) {
        totalEpochs = try reader.int(
            "total_epochs", default: 4, in: .atLeast(1),
            "How often the training rows are gone through.")
        totalSteps = try reader.totalSteps()
        let projectName = try reader.string(
            "project_name", default: "lorikeet", "First part of the default folder's name.")
        let experimentName = try reader.string(
            "experiment_name", default: "sft", "Second part of the default folder's name.")
        folder = try reader.path(
            "default_local_dir", default: "checkpoints/\(projectName)/\(experimentName)",
            "The folder of the run.")
        saveInterval = try reader.stepInterval(
            "save_freq", "Updates between checkpoints; -1 for one at the end only.")
        validationInterval = try reader.stepInterval(
            "test_freq", "Updates between validations; -1 for one at the end only.")
        keptCheckpoints = try reader.optionalInt(
            "max_ckpt_to_keep", in: .atLeast(1), "Checkpoints that are kept; null for all.")
        resume = try ResumeSettings(reader)
        let earlier = try CheckpointSettings(reader.scope("checkpoint"))
        let present = try CheckpointSettings(group)
        checkpoint = reader.isGiven("checkpoint.save_contents") ? earlier : present
        if earlier != present, reader.isGiven("checkpoint.save_contents"),
            group.isGiven("save_contents")
        {
            throw SettingsError(
                "'\(reader.fullKey("checkpoint.save_contents"))' and"
                    + " '\(group.fullKey("save_contents"))' are the same setting, so keep one.")
        }
        try reader.readDevice()
        threads = try reader.threads()
        seed = try reader.int(
            "seed", default: 1, "Seed of the order of the rows and of a fresh adapter.")
        try TrainerSettings.declareShared(reader)
    }
}
