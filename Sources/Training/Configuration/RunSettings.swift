import Settings
package import Tensors

/// How long a run of either trainer goes on and what it leaves behind: the keys of `trainer.*` that
/// reinforcement learning and supervised fine-tuning share.
package struct RunSettings: Sendable {
    /// How often the training data are gone through.
    package let totalEpochs: Int
    /// Steps after which the run ends; nil for what the epochs give.
    package let totalSteps: Int?
    /// The folder of the run.
    package let folder: String
    /// Steps between checkpoints; nil for one at the end only.
    package let saveInterval: Int?
    /// Steps between validations; nil for one at the end only.
    package let validationInterval: Int?
    /// Checkpoints that are kept, the newest ones; nil for all.
    package let keptCheckpoints: Int?
    /// Where the run starts.
    package let resume: ResumeSettings
    /// Threads that compute; 0 for one a core.
    package let threads: Int
    /// Seed of everything that has no seed of its own.
    package let seed: Int
    /// Where the run computes.
    package let device: DeviceChoice

    /// What differs between the two trainers.
    struct Kind {
        let epochs: Int
        let experiment: String
        let keptKey: String

        static let reinforcement = Kind(
            epochs: 30, experiment: "train", keptKey: "max_actor_ckpt_to_keep")
        static let supervised = Kind(epochs: 4, experiment: "sft", keptKey: "max_ckpt_to_keep")
    }

    /// Reads the shared keys of `trainer.*`.
    init(_ reader: SettingsReader, _ kind: Kind) throws(SettingsError) {
        totalEpochs = try reader.int(
            "total_epochs", default: kind.epochs, in: .atLeast(1),
            "How often the training data are gone through.")
        totalSteps = try reader.optionalInt(
            "total_training_steps", in: .atLeast(1),
            "Steps after which the run ends; null for what the epochs give.")
        let project = try reader.string(
            "project_name", default: "lorikeet", "First part of the default folder's name.")
        let experiment = try reader.string(
            "experiment_name", default: kind.experiment,
            "Second part of the default folder's name.")
        folder = try reader.derived("checkpoints/PROJECT_NAME/EXPERIMENT_NAME").path(
            "default_local_dir", default: "checkpoints/\(project)/\(experiment)",
            "The folder of the run.")
        saveInterval = try reader.stepInterval(
            "save_freq", "Steps between checkpoints; -1 for one at the end only.")
        validationInterval = try reader.stepInterval(
            "test_freq", "Steps between validations; -1 for one at the end only.")
        keptCheckpoints = try reader.optionalInt(
            kind.keptKey, in: .atLeast(1), "Checkpoints that are kept; null for all.")
        resume = try ResumeSettings(reader)
        threads = try reader.int(
            "threads", default: 0, in: .between(0, 4096), "Threads that compute; 0 for one a core.")
        seed = try reader.int(
            "seed", default: 1, "Seed of everything that has no seed of its own.")
        device = try reader.choice(
            "device", default: DeviceChoice.auto,
            "Where the run computes: on the CPU (cpu), on an NVIDIA GPU (cuda), or on a GPU where one"
                + " works and else on the CPU (auto).")
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            "logger", because: "progress goes to the terminal and metrics to metrics.jsonl")
        reader.ignored(["n_gpus_per_node", "nnodes", "balance_batch"], because: Reason.oneProcess)
        try reader.unsupported(
            "default_hdfs_dir", allowed: [nil], because: "a run's folder is a local one")
        reader.ignored("use_legacy_worker_impl", because: Reason.internals)
        reader.ignored(["profile_steps", "profile_interval"], because: Reason.profiler)
    }
}
