import Formats
import OracleFixtures
import Training

/// A folder with tiny data, and runs on it that write into folders below it.
struct RunFolder {
    let path: String
    static let model = OracleFixtures.path("models/qwen2-tiny")

    /// Writes the data into an empty folder.
    init(_ path: String) throws {
        self.path = path
        let rows = (0..<8).map { #"{"prompt": "\#($0) and \#($0 + 1)?", "answer": "\#($0)"}"# }
        try AtomicFile.write(rows.joined(separator: "\n") + "\n", to: "\(path)/train.jsonl")
        try AtomicFile.write(rows[0] + "\n" + rows[5] + "\n", to: "\(path)/val.jsonl")
        let pairs = (0..<8).map { #"{"prompt": "say \#($0)", "response": "it is \#($0)"}"# }
        try AtomicFile.write(pairs.joined(separator: "\n") + "\n", to: "\(path)/sft.jsonl")
    }

    /// Settings of a run called `name`: LoRA of rank 4, four prompts of three responses a step. The
    /// entropy bonus gives a gradient although a random model earns no reward.
    func reinforcementArguments(_ name: String, _ overrides: [String]) -> [String] {
        [
            "actor_rollout_ref.model.path=\(Self.model)", "actor_rollout_ref.model.lora_rank=4",
            "data.train_files=\(path)/train.jsonl", "data.train_batch_size=4",
            "data.max_prompt_length=64", "data.max_response_length=6",
            "algorithm.adv_estimator=grpo", "actor_rollout_ref.rollout.n=3",
            "actor_rollout_ref.actor.entropy_coeff=0.01",
            "actor_rollout_ref.actor.use_kl_loss=true", "actor_rollout_ref.actor.optim.lr=0.01",
            "reward.function=exact_match", "trainer.total_training_steps=3",
            "trainer.default_local_dir=\(path)/\(name)",
        ] + overrides
    }

    /// Makes a reinforcement-learning run and carries it out.
    @discardableResult
    func train(_ name: String, _ overrides: String...) async throws -> RunOutcome {
        try await train(name, overrides)
    }

    /// Makes a reinforcement-learning run and carries it out.
    @discardableResult
    func train(_ name: String, _ overrides: [String]) async throws -> RunOutcome {
        let settings = try TrainSettings.load(
            arguments: reinforcementArguments(name, overrides), environment: [:])
        return try await ReinforcementRun(settings).run()
    }

    /// Makes a supervised run of four rows an update, and carries it out.
    @discardableResult
    func fineTune(_ name: String, _ overrides: String...) throws -> RunOutcome {
        let settings = try SFTSettings.load(
            arguments: [
                "model.path=\(Self.model)", "model.lora_rank=4", "optim.lr=0.01",
                "data.train_files=\(path)/sft.jsonl", "data.train_batch_size=4",
                "data.max_length=64",
                "trainer.total_training_steps=3", "trainer.default_local_dir=\(path)/\(name)",
            ] + overrides, environment: [:])
        return try SupervisedRun(settings).run()
    }

    /// The bytes of a file of a run.
    func bytes(_ file: String) throws -> [UInt8] { try [UInt8](contentsOfFile: "\(path)/\(file)") }

    /// The rows of a run's `metrics.jsonl`.
    func metrics(_ name: String) throws -> [JSON] {
        let reader = try JSONLinesReader(path: "\(path)/\(name)/metrics.jsonl")
        return try reader.rest().map(\.value)
    }

    /// The numbers of the run's steps, validations left out.
    func stepMetrics(_ name: String) throws -> [JSONObject] {
        try metrics(name).compactMap { $0["data"]?.object }.filter {
            $0["actor/loss"] != nil || $0["train/loss"] != nil
        }
    }

    /// The numbers of the run's steps that have one called `name`.
    func stepMetrics(_ run: String, having name: String) throws -> [JSONObject] {
        try metrics(run).compactMap { $0["data"]?.object }.filter { $0[name] != nil }
    }

    /// The adapter's file in the checkpoint of `step`.
    static func adapterFile(_ name: String, step: Int) -> String {
        "\(name)/global_step_\(step)/actor/lora_adapter/adapter_model.safetensors"
    }
}
