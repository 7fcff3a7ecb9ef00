import Formats
import OracleFixtures
import Settings
import Testing

@testable import Training

/// Commands of verl run as they are written, but for the model's path and the data.
struct VerlCommandRunTests {
    @Test(
        "the GSM8K LoRA script, and the LoRA page's block of 72B",
        arguments: ["grpo-lora-3b", "documentation-72b"])
    func run(name: String) async throws {
        try await withTemporaryFolder { path in
            // As many as the smaller of the two takes in a step; the block says 64.
            let count = name == "grpo-lora-3b" ? 16 : 64
            let rows = (0..<count).map { #"{"prompt": "\#($0)?", "answer": "\#($0)"}"# }
            try AtomicFile.write(rows.joined(separator: "\n") + "\n", to: "\(path)/a.jsonl")
            let file = try JSON(contentsOfFile: OracleFixtures.path("verl/commands.json"))
            let words = try #require(file[name]?["words"]?.array).compactMap(\.string)
            let settings = try TrainSettings.load(
                arguments: words + [
                    "actor_rollout_ref.model.path=\(RunFolder.model)",
                    "data.train_files=\(path)/a.jsonl", "data.val_files=\(path)/a.jsonl",
                    "data.val_max_samples=1", "data.max_prompt_length=32",
                    "data.max_response_length=3", "reward.function=exact_match",
                    "trainer.total_epochs=1", "trainer.default_local_dir=\(path)/run",
                ], environment: [:])
            let outcome = try await ReinforcementRun(settings).run()
            #expect(outcome.steps == 1)
            let saved = try #require(outcome.checkpoint)
            #expect(fileExists("\(saved.modelFolder)/adapter_model.safetensors"))
        }
    }
}
