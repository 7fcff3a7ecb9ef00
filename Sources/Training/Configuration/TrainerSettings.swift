import Settings

/// How long a run goes on and what it leaves behind: the keys `trainer.*`.
package struct TrainerSettings: Sendable {
    /// How often the training prompts are gone through.
    package let totalEpochs: Int
    /// Steps after which the run ends; nil for what the epochs give.
    package let totalSteps: Int?
    /// The folder of the run.
    package let folder: String
    /// Steps between checkpoints; nil for one at the end only.
    package let saveInterval: Int?
    /// Steps between validations; nil for one at the end only.
    package let validationInterval: Int?
    /// Whether the model is validated before the first step.
    package let validatesFirst: Bool
    /// Whether the run is nothing but one validation.
    package let validatesOnly: Bool
    /// How many validation responses are shown.
    package let shownGenerations: Int
    /// Folder for the responses of every step; nil for none.
    package let rolloutFolder: String?
    /// Folder for the responses of every validation; nil for none.
    package let validationFolder: String?
    /// Checkpoints that are kept, the newest ones; nil for all.
    package let keptCheckpoints: Int?
    /// Checkpoints whose critic is kept, the newest ones; nil for all.
    package let keptCriticCheckpoints: Int?
    /// The first step that updates the actor; before it the critic alone learns.
    package let criticWarmup: Int
    /// Where the run starts.
    package let resume: ResumeSettings
    /// Threads that compute; 0 for one a core.
    package let threads: Int
    /// Seed of everything that has no seed of its own.
    package let seed: Int

    /// Reads `trainer.*`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        totalEpochs = try reader.int(
            "total_epochs", default: 30, in: .atLeast(1),
            "How often the training prompts are gone through.")
        totalSteps = try reader.totalSteps()
        let projectName = try reader.string(
            "project_name", default: "lorikeet", "First part of the default folder's name.")
        let experimentName = try reader.string(
            "experiment_name", default: "train", "Second part of the default folder's name.")
        folder = try reader.path(
            "default_local_dir", default: "checkpoints/\(projectName)/\(experimentName)",
            "The folder of the run.")
        saveInterval = try reader.stepInterval(
            "save_freq", "Steps between checkpoints; -1 for one at the end only.")
        validationInterval = try reader.stepInterval(
            "test_freq", "Steps between validations; -1 for one at the end only.")
        validatesFirst = try reader.bool(
            "val_before_train", default: true, "Validate before the first step.")
        validatesOnly = try reader.bool("val_only", default: false, "Validate once and end.")
        shownGenerations = try reader.int(
            "log_val_generations", default: 0, in: .atLeast(0),
            "How many validation responses are shown.")
        rolloutFolder = try reader.optionalPath(
            "rollout_data_dir", "Folder for the responses of every step.")
        validationFolder = try reader.optionalPath(
            "validation_data_dir", "Folder for the responses of every validation.")
        keptCheckpoints = try reader.optionalInt(
            "max_actor_ckpt_to_keep", in: .atLeast(1), "Checkpoints that are kept; null for all.")
        keptCriticCheckpoints = try reader.optionalInt(
            "max_critic_ckpt_to_keep", in: .atLeast(1),
            "Checkpoints whose critic is kept; null for all.")
        criticWarmup = try reader.int(
            "critic_warmup", default: 0, in: .atLeast(0),
            "The first step that updates the actor; before it the critic alone learns.")
        resume = try ResumeSettings(reader)
        try reader.readDevice()
        threads = try reader.threads()
        seed = try reader.int(
            "seed", default: 1, "Seed of everything that has no seed of its own.")
        try Self.declareOthers(reader)
    }

    /// Steps of a critic alone need one.
    func checkWarmup(_ root: SettingsReader, hasCritic: Bool) throws(SettingsError) {
        guard criticWarmup > 0, !hasCritic else { return }
        throw root.conflict(
            ["trainer.critic_warmup", "algorithm.adv_estimator"],
            "the estimator uses no critic, so there is none to warm up")
    }

    /// Keys of `trainer` that RL and supervised fine-tuning share.
    static func declareShared(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored(
            "logger", because: "progress goes to the terminal and metrics to metrics.jsonl")
        reader.ignored(["n_gpus_per_node", "nnodes", "balance_batch"], because: Reason.oneProcess)
        try reader.unsupported(
            "default_hdfs_dir", allowed: [nil], because: "a run's folder is a local one")
        reader.ignored("use_legacy_worker_impl", because: Reason.internals)
        reader.ignored(["profile_steps", "profile_interval"], because: Reason.profiler)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        try declareShared(reader)
        reader.ignored(
            ["ray_wait_register_center_timeout", "npu_profile"], because: "Ray is not used")
        reader.ignored(
            "esi_redundant_time", because: "an interrupted run saves before it ends")
        try reader.unsupported(
            "v1.trainer_mode", allowed: ["sync", nil],
            because: "each step's rollouts are those of the policy that it trains")
        reader.ignored(["use_v1", "v1"], because: Reason.internals)
        try reader.unsupported(
            "remove_previous_ckpt_in_save", allowed: [false],
            because: "write max_actor_ckpt_to_keep=1")
        try reader.unsupported(
            "del_local_ckpt_after_load", allowed: [false], because: "checkpoints are kept")
    }
}
