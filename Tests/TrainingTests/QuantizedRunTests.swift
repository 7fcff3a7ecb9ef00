import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// Runs whose base is quantised (QLoRA).
@Suite("Quantised runs")
struct QuantizedRunTests {
    private let quantization = "actor_rollout_ref.model.quantization"

    @Test(
        "rollout, reference and training see one set of quantised weights",
        arguments: Quantization.allCases)
    func oneBase(kind: Quantization) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a", "\(quantization)=\(kind.rawValue)", "trainer.total_training_steps=2")
            let steps = try runs.stepMetrics("a")
            #expect(steps.count == 2)
            for step in steps {
                let difference = try #require(step["training/rollout_log_probs_diff_max"]?.double)
                #expect(difference == 0)
            }
            // A fresh adapter adds nothing, so that the policy is the reference.
            let first = try #require(steps.first?["actor/kl_loss"]?.double)
            #expect(abs(first) < 1e-9)
            // PEFT puts the adapter on the original checkpoint.
            let saved = "\(folder)/a/global_step_2/actor/lora_adapter"
            let config = try Decoder(directory: RunFolder.model).config
            #expect(try LoRAAdapter(directory: saved, for: config).config.rank == 4)
            let file = try JSON(contentsOfFile: "\(saved)/adapter_config.json")
            #expect(file["base_model_name_or_path"]?.string == RunFolder.model)
        }
    }

    @Test("a run goes on over the weights that it began on, and over no others")
    func resume() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let one = "trainer.total_training_steps=1"
            let two = "trainer.total_training_steps=2"
            try await runs.train("whole", "\(quantization)=nf4", two)
            try await runs.train("a", "\(quantization)=nf4", one)
            for other in ["int4", "null"] {
                let error = await #expect(throws: TrainingError.self) {
                    try await runs.train("a", "\(quantization)=\(other)", two)
                }
                let text = error?.description ?? ""
                #expect(text.contains("nf4") && text.contains("model.quantization"), "\(text)")
            }
            try await runs.train("a", "\(quantization)=nf4", two)
            #expect(
                try runs.bytes(RunFolder.adapterFile("a", step: 2))
                    == runs.bytes(RunFolder.adapterFile("whole", step: 2)))
        }
    }

    @Test("supervised fine-tuning learns on a quantised base")
    func supervised() throws {
        try withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try runs.fineTune("a", "model.quantization=int4", "trainer.total_training_steps=6")
            let losses = try runs.stepMetrics("a").compactMap { $0["train/loss"]?.double }
            #expect(losses.count == 6)
            #expect((losses.last ?? 0) < (losses.first ?? 0))
        }
    }

    @Test("PPO's critic shares the actor's quantised weights; a whole one has its own")
    func critic() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let ppo = ["algorithm.adv_estimator=gae", "trainer.total_training_steps=1"]
            try await runs.train("a", ppo + ["\(quantization)=int8"])
            try await runs.train("b", ppo + ["\(quantization)=int8", "critic.model.lora_rank=0"])
            #expect(fileExists("\(folder)/a/global_step_1/critic/lora_adapter"))
            #expect(fileExists("\(folder)/b/global_step_1/critic/huggingface"))
        }
    }

    @Test("the difference that rounded activations make is measured and corrected")
    func activations() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a", "\(quantization)=int8", "actor_rollout_ref.rollout.activations=int8",
                "trainer.total_training_steps=1")
            let step = try #require(try runs.stepMetrics("a").first)
            let difference = try #require(step["training/rollout_log_probs_diff_max"]?.double)
            #expect(difference > 1e-6 && difference < 0.1, "\(difference)")
            #expect(step["timing_s/old_log_prob"] != nil)
            #expect(step["rollout_corr/kl"] != nil)
            #expect(step["rollout_corr/rollout_is_mean"] != nil)
        }
    }
}
