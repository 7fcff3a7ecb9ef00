import Formats
import Testing

/// Tiny data in a folder, and the arguments of commands that train on it.
struct TinyRun {
    let folder: String

    /// Writes `train.jsonl` and `sft.jsonl` of six rows each.
    init(_ folder: String) throws {
        self.folder = folder
        let rows = (0..<6).map { #"{"prompt": "\#($0) and \#($0 + 1)?", "answer": "\#($0)"}"# }
        try AtomicFile.write(rows.joined(separator: "\n") + "\n", to: "\(folder)/train.jsonl")
        let pairs = (0..<6).map { #"{"prompt": "say \#($0)", "response": "it is \#($0)"}"# }
        try AtomicFile.write(pairs.joined(separator: "\n") + "\n", to: "\(folder)/sft.jsonl")
    }

    /// `lorikeet train` into `run`; later settings win over earlier ones.
    func train(_ overrides: String...) -> [String] {
        [
            "train", "actor_rollout_ref.model.path=\(tinyModel())",
            "actor_rollout_ref.model.lora_rank=4", "data.train_files=\(folder)/train.jsonl",
            "data.train_batch_size=2", "data.max_prompt_length=64", "data.max_response_length=4",
            "algorithm.adv_estimator=grpo", "actor_rollout_ref.rollout.n=2",
            "actor_rollout_ref.actor.entropy_coeff=0.01", "reward.function=exact_match",
            "trainer.default_local_dir=\(folder)/run", "trainer.device=cpu",
        ] + overrides
    }

    /// `lorikeet sft` of two updates into `run`.
    func fineTune(_ overrides: String...) -> [String] {
        [
            "sft", "model.path=\(tinyModel())", "model.lora_rank=4",
            "data.train_files=\(folder)/sft.jsonl", "data.train_batch_size=3", "data.max_length=64",
            "trainer.total_training_steps=2", "trainer.default_local_dir=\(folder)/run",
            "trainer.device=cpu",
        ] + overrides
    }

    /// The adapter of the checkpoint of `step`.
    func adapterFolder(step: Int) -> String {
        "\(folder)/run/global_step_\(step)/actor/lora_adapter"
    }

    /// The step of the newest checkpoint.
    func newestStep() throws -> Int {
        let path = "\(folder)/run/latest_checkpointed_iteration.txt"
        let text = String(decoding: try [UInt8](contentsOfFile: path), as: UTF8.self)
        return try #require(Int(text))
    }
}
