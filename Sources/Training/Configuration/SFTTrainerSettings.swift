import Settings

/// How long supervised fine-tuning goes on and what it leaves behind: the keys `trainer.*`.
package struct SFTTrainerSettings: Sendable {
    /// How often the training rows are gone through.
    package let totalEpochs: Int
    /// Updates after which the run ends; nil for what the epochs give.
    package let totalSteps: Int?
    /// First part of the default folder's name.
    package let projectName: String
    /// Second part of the default folder's name.
    package let experimentName: String
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
    /// The device by name: `auto` or `cpu`.
    package let device: String
    /// Threads that compute; 0 for one a core.
    package let threads: Int
    /// Seed of the order of the rows and of a fresh adapter.
    package let seed: Int

    /// Reads `trainer.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        totalEpochs = try reader.int(
            "total_epochs", default: 4, in: .atLeast(1),
            "How often the training rows are gone through.")
        totalSteps = try reader.totalSteps()
        projectName = try reader.string(
            "project_name", default: "lorikeet", "First part of the default folder's name.")
        experimentName = try reader.string(
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
        checkpoint = try CheckpointSettings(reader.scope("checkpoint"))
        device = try reader.device()
        threads = try reader.threads()
        seed = try reader.int(
            "seed", default: 1, "Seed of the order of the rows and of a fresh adapter.")
        try TrainerSettings.declareShared(reader)
    }
}
