import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

@Suite("Reinforcement-learning runs", .serialized)
struct ReinforcementRunTests {
    /// verl's names for what Lorikeet measures in every step.
    private static let names = [
        "critic/score/mean", "critic/score/max", "critic/score/min", "critic/rewards/mean",
        "critic/advantages/mean", "critic/returns/mean", "actor/pg_loss", "actor/kl_loss",
        "actor/kl_coef", "actor/pg_clipfrac", "actor/pg_clipfrac_lower", "actor/ppo_kl",
        "actor/entropy", "actor/grad_norm", "actor/lr", "response_length/mean",
        "response_length/max", "response_length/min", "response_length/clip_ratio",
        "response/aborted_ratio", "prompt_length/mean", "prompt_length/max", "prompt_length/min",
        "prompt_length/clip_ratio", "global_seqlen/mean", "global_seqlen/max", "global_seqlen/min",
        "timing_s/gen", "timing_s/ref", "timing_s/adv", "timing_s/update_actor", "timing_s/step",
        "timing_per_token_ms/gen", "timing_per_token_ms/ref", "timing_per_token_ms/adv",
        "timing_per_token_ms/update_actor", "perf/total_num_tokens", "perf/time_per_step",
        "perf/throughput", "perf/max_memory_allocated_gb", "perf/cpu_memory_used_gb",
        "training/global_step", "training/epoch", "training/rollout_probs_diff_valid",
        "training/rollout_probs_diff_max", "training/rollout_probs_diff_mean",
        "training/rollout_probs_diff_std",
    ]

    @Test("a run leaves its configuration, verl's metrics and the adapter")
    func files() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let outcome = try await runs.train(
                "a", "data.val_files=\(folder)/val.jsonl", "trainer.test_freq=2",
                "trainer.save_freq=2", "trainer.rollout_data_dir=\(folder)/rollouts")
            #expect(outcome.steps == 3 && !outcome.wasInterrupted)
            #expect(
                outcome.checkpoint?.modelFolder.hasSuffix("global_step_3/actor/lora_adapter")
                    == true)
            #expect(fileExists("\(folder)/a/config.yaml"))
            #expect(fileExists("\(folder)/\(RunFolder.adapterFile("a", step: 2))"))
            #expect(try runs.bytes("a/latest_checkpointed_iteration.txt") == Array("3".utf8))
            for step in 1...3 { #expect(fileExists("\(folder)/rollouts/\(step).jsonl")) }

            let rows = try runs.metrics("a")
            // Validation writes rows of its own: before training, after step 2 and at the end.
            #expect(rows.compactMap { $0["step"]?.int } == [0, 1, 2, 2, 3, 3])
            let validations = rows.filter {
                $0["data"]?["val-core/unknown/reward/mean@1"]?.double != nil
            }
            #expect(validations.count == 3)
            let steps = try runs.stepMetrics("a")
            #expect(steps.count == 3)
            for (index, step) in steps.enumerated() {
                let missing = Self.names.filter { step[$0] == nil }
                #expect(missing == [], "step \(index + 1)")
                let broken = step.filter { $0.value.double?.isFinite != true }.map(\.key)
                #expect(broken == [], "step \(index + 1)")
                #expect(step["training/global_step"]?.int == index + 1)
                let difference = step["training/rollout_log_probs_diff_max"]?.double
                #expect((difference ?? 1) <= 1e-5)
                #expect((step["actor/grad_norm"]?.double ?? 0) > 0)
            }
        }
    }

    @Test("the same seed gives the same adapter bit for bit; another seed gives another")
    func reproducibility() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a")
            try await runs.train("b")
            try await runs.train("c", "trainer.seed=2")
            try await runs.train("d", "trainer.threads=1")
            let files = try ["a", "b", "c", "d"].map {
                try runs.bytes(RunFolder.adapterFile($0, step: 3))
            }
            #expect(files[0] == files[1])
            #expect(files[0] != files[2])
            #expect(files[0] == files[3])
        }
    }

    @Test("a run that stopped and goes on ends like one that never stopped")
    func resuming() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            // Three prompts a step, so that the second epoch begins in the middle.
            let common = ["data.train_batch_size=3", "actor_rollout_ref.rollout.n=2"]
            func train(_ name: String, steps: Int) async throws {
                try await runs.train(
                    name, common[0], common[1], "trainer.total_training_steps=\(steps)",
                    "trainer.resume_mode=auto")
            }
            try await train("whole", steps: 4)
            try await train("parts", steps: 2)
            try await train("parts", steps: 4)
            #expect(
                try runs.bytes(RunFolder.adapterFile("whole", step: 4))
                    == runs.bytes(RunFolder.adapterFile("parts", step: 4)))
            #expect(
                try runs.bytes("whole/global_step_4/actor/optimizer.safetensors")
                    == runs.bytes("parts/global_step_4/actor/optimizer.safetensors"))
            #expect(try runs.metrics("parts").compactMap { $0["step"]?.int } == [1, 2, 3, 4])
            let losses = try ["whole", "parts"].map {
                try runs.stepMetrics($0).map { $0["actor/loss"] }
            }
            #expect(losses[0] == losses[1])
        }
    }

    @Test("a run that is started anew without resuming removes what was there")
    func startingAnew() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a", "trainer.save_freq=1")
            try await runs.train(
                "a", "trainer.total_training_steps=1", "trainer.resume_mode=disable")
            #expect(try runs.metrics("a").compactMap { $0["step"]?.int } == [1])
            #expect(!fileExists("\(folder)/a/global_step_2"))
            #expect(fileExists("\(folder)/a/global_step_1"))
        }
    }

    @Test("the adapter on the disk is the one that rollouts would use")
    func savedAdapter() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a")
            let model = try Decoder(directory: RunFolder.model)
            let adapter = try LoRAAdapter(
                directory: "\(folder)/a/global_step_3/actor/lora_adapter", for: model.config)
            #expect(adapter.config.rank == 4)
            let B = adapter.parameters.slots.indices.filter { $0 % 2 == 1 }
            #expect(B.allSatisfy { adapter.parameters.parameter($0).sumOfSquares > 0 })
        }
    }

    @Test("several mini-batches and epochs use the rollout's log-probabilities or their own")
    func manyUpdates() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let updates = [
                "actor_rollout_ref.actor.ppo_mini_batch_size=2",
                "actor_rollout_ref.actor.ppo_epochs=2", "actor_rollout_ref.actor.shuffle=true",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=3",
                "trainer.total_training_steps=1",
            ]
            try await runs.train("a", updates[0], updates[1], updates[2], updates[3], updates[4])
            let state = try JSON(
                contentsOfFile: "\(folder)/a/global_step_1/trainer_state.json")
            #expect(state["optimizer_step"]?.int == 4)
            try await runs.train(
                "b", updates[0], updates[1], updates[2], updates[3], updates[4],
                "actor_rollout_ref.rollout.top_p=0.9")
            let step = try #require(try runs.stepMetrics("b").first)
            #expect(step["timing_s/old_log_prob"] != nil)
        }
    }

    @Test("without LoRA the whole model is trained and saved as a checkpoint that loads")
    func wholeModel() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a", "actor_rollout_ref.model.lora_rank=0", "trainer.total_training_steps=2")
            let saved = "\(folder)/a/global_step_2/actor/huggingface"
            let (base, trained) = try (
                Decoder(directory: RunFolder.model), Decoder(directory: saved)
            )
            #expect(trained.config == base.config)
            for step in try runs.stepMetrics("a") {
                // Rollouts run on the weights that were updated, not on what was cached before.
                let difference = step["training/rollout_log_probs_diff_max"]?.double
                #expect((difference ?? 1) <= 1e-5)
            }
            let moved = zip(base.weights.named, trained.weights.named).filter {
                !$0.1.weight.tensor.hasSameBytes(as: $0.0.weight.tensor)
            }
            #expect(moved.count > base.weights.named.count / 2)
            _ = try Tokenizer(directory: saved)
            // It goes on from there.
            try await runs.train(
                "a", "actor_rollout_ref.model.lora_rank=0", "trainer.total_training_steps=3")
            try await runs.train(
                "b", "actor_rollout_ref.model.lora_rank=0", "trainer.total_training_steps=3")
            let file = "global_step_3/actor/huggingface/model.safetensors"
            #expect(try runs.bytes("a/\(file)") == runs.bytes("b/\(file)"))
        }
    }

    @Test("a run can go on from an adapter, of the same rank")
    func givenAdapter() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let path = OracleFixtures.path("adapters/qwen2-tiny--all-linear-r8")
            let model = "actor_rollout_ref.model"
            try await runs.train(
                "a", "\(model).lora_adapter_path=\(path)", "\(model).lora_rank=8",
                "trainer.total_training_steps=1", "actor_rollout_ref.actor.optim.lr=1e-4")
            let config = try Decoder(directory: RunFolder.model).config
            let (given, trained) = try (
                LoRAAdapter(directory: path, for: config),
                LoRAAdapter(
                    directory: "\(folder)/a/global_step_1/actor/lora_adapter", for: config)
            )
            let (before, after) = (
                given.parameters.values.toArray(), trained.parameters.values.toArray()
            )
            #expect(before != after)
            #expect(largestDifference(after, before) <= 1.1e-4)
            let error = await #expect(throws: TrainingError.self) {
                try await runs.train("b", "\(model).lora_adapter_path=\(path)")
            }
            #expect(error?.description.contains("lora_rank=8") == true)
        }
    }

    @Test("a run without LoRA cannot take an adapter, rather than leave it out in silence")
    func adapterWithoutRank() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let path = OracleFixtures.path("adapters/qwen2-tiny--all-linear-r8")
            await #expect(throws: (any Error).self) {
                try await runs.train(
                    "a", "actor_rollout_ref.model.lora_adapter_path=\(path)",
                    "actor_rollout_ref.model.lora_rank=0")
            }
        }
    }

    @Test(
        "bf16 and f16 checkpoints are trained with an adapter and as a whole",
        arguments: [DataType.bfloat16, .float16])
    func narrowWeights(type: DataType) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try RandomWeights.writeCheckpoint(
                configPath: "\(RunFolder.model)/config.json",
                tokenizerDirectory: RunFolder.model, seed: 3, type: type, to: "\(folder)/base")
            for rank in [4, 0] {
                try await runs.train(
                    "\(rank)", "actor_rollout_ref.model.path=\(folder)/base",
                    "actor_rollout_ref.model.lora_rank=\(rank)",
                    "actor_rollout_ref.actor.optim.lr=1e-3")
                for step in try runs.stepMetrics("\(rank)") {
                    let difference = step["training/rollout_log_probs_diff_max"]?.double
                    #expect((difference ?? 1) <= 1e-5)
                    #expect((step["actor/grad_norm"]?.double ?? 0) > 0)
                }
            }
            let whole = try Decoder(directory: "\(folder)/0/global_step_3/actor/huggingface")
            #expect(whole.weights.named.allSatisfy { $0.weight.tensor.dataType == .float32 })
        }
    }

    @Test("only as many checkpoints are kept as asked for, the newest")
    func keptCheckpoints() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a", "trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=2")
            #expect(!fileExists("\(folder)/a/global_step_1"))
            #expect(fileExists("\(folder)/\(RunFolder.adapterFile("a", step: 2))"))
            #expect(fileExists("\(folder)/\(RunFolder.adapterFile("a", step: 3))"))
        }
    }

    @Test("a validation alone changes nothing and saves nothing")
    func validationOnly() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let outcome = try await runs.train(
                "a", "trainer.val_only=true", "data.val_files=\(folder)/val.jsonl")
            #expect(outcome.steps == 0 && outcome.checkpoint == nil)
            #expect(try runs.metrics("a").compactMap { $0["step"]?.int } == [0])
        }
    }

    @Test("lengths beyond the model's positions are refused by their keys")
    func lengths() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let error = await #expect(throws: TrainingError.self) {
                try await runs.train("a", "data.max_response_length=500")
            }
            #expect(error?.description.contains("data.max_response_length") == true)
        }
    }

    @Test("a path that leads nowhere is named with its key")
    func missingPaths() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            for key in [
                "actor_rollout_ref.model.path", "actor_rollout_ref.model.tokenizer_path",
                "actor_rollout_ref.ref.adapter", "data.val_files",
            ] {
                let error = await #expect(throws: TrainingError.self) {
                    try await runs.train("a", "\(key)=\(folder)/nowhere")
                }
                let message = error?.description ?? ""
                #expect(message.contains(key) && message.contains("nowhere"), "\(key)")
            }
        }
    }

    @Test("a run cannot go on from a checkpoint of the other kind, or from none")
    func otherKind() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a", "trainer.total_training_steps=1")
            let kind = await #expect(throws: TrainingError.self) {
                try await runs.train("a", "actor_rollout_ref.model.lora_rank=0")
            }
            #expect(kind?.description.contains("holds an adapter") == true)
            let missing = await #expect(throws: TrainingError.self) {
                try await runs.train(
                    "b", "trainer.resume_mode=resume_path",
                    "trainer.resume_from_path=\(folder)/a/global_step_9")
            }
            #expect(missing?.description.contains("there is no folder") == true)
        }
    }
}
