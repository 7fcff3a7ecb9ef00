import Settings
import Testing

@testable import Training

/// A run's `config.yaml` is a base for other runs: what follows another key still follows it.
@Suite("Variations of a written configuration")
struct ConfigurationVariationTests {
    /// Settings of a written configuration with some keys changed.
    private func vary(_ given: [String], with changes: [String]) throws -> TrainSettings {
        let first = try TrainSettings.load(
            arguments: ["actor_rollout_ref.model.path=/m", "data.train_files=a.jsonl"] + given,
            environment: [:])
        let file = TemporaryFile("config.yaml", first.report.resolved.yaml)
        return try TrainSettings.load(arguments: [file.path] + changes, environment: [:])
    }

    @Test("the critic follows the actor's model")
    func critic() throws {
        let varied = try vary(
            ["actor_rollout_ref.model.lora_rank=4"],
            with: [
                "actor_rollout_ref.model.path=/other", "actor_rollout_ref.model.lora_rank=8",
                "actor_rollout_ref.model.lora_alpha=32", "actor_rollout_ref.actor.ppo_epochs=2",
            ])
        let critic = try #require(varied.critic)
        #expect(critic.path == "/other" && critic.sharesActorBase && critic.epochs == 2)
        #expect(critic.lora.rank == 8 && critic.lora.alpha == 32)
    }

    @Test("lengths, batches and clipping change in one place")
    func keysThatFollow() throws {
        let actor = "actor_rollout_ref.actor"
        let varied = try vary(
            ["algorithm.adv_estimator=grpo", "actor_rollout_ref.rollout.n=2"],
            with: [
                "data.max_response_length=40", "data.max_prompt_length=30",
                "data.train_batch_size=16", "\(actor).grad_clip=0.5",
                "\(actor).ppo_micro_batch_size_per_gpu=8", "\(actor).optim.warmup_style=cosine",
                "trainer.experiment_name=second",
            ])
        #expect(varied.data.maxResponseLength == 40 && varied.actor.miniBatchSize == 16)
        #expect(varied.actor.optimizer.gradientClip == 0.5)
        #expect(varied.actor.optimizer.schedule == .cosine)
        #expect(varied.actor.microBatch == .samples(8))
        #expect(varied.reference.microBatch == .samples(8))
        #expect(varied.trainer.run.folder == "checkpoints/lorikeet/second")
        #expect(varied.report.notices == [])
    }

    @Test("either name of the clipping norm, and an adapter's folder, may be added")
    func laterNames() throws {
        let varied = try vary(
            [],
            with: [
                "actor_rollout_ref.actor.optim.clip_grad=0.25", "critic.model.lora_rank=2",
                "actor_rollout_ref.model.lora_adapter_path=/a",
            ])
        #expect(varied.actor.optimizer.gradientClip == 0.25)
        #expect(varied.model.lora.isOn && varied.model.lora.rank == nil)
    }

    @Test("what was given stays given")
    func given() throws {
        let varied = try vary(
            ["critic.model.path=/c", "critic.model.lora_rank=2"],
            with: ["actor_rollout_ref.model.path=/other", "actor_rollout_ref.model.lora_rank=8"])
        #expect(varied.critic?.path == "/c" && varied.critic?.lora.rank == 2)
    }

    @Test("a configuration that was only looked at lacks nothing but what it needs")
    func draft() throws {
        let drafted = try KnownSettings(.train, arguments: [], environment: [:]).resolved.yaml
        let file = TemporaryFile("draft.yaml", drafted)
        let settings = try TrainSettings.load(
            arguments: [
                file.path, "actor_rollout_ref.model.path=/m", "data.train_files=a.jsonl",
            ], environment: [:])
        #expect(settings.critic?.path == "/m")
    }

    @Test("supervised fine-tuning's checkpoints may be set in either place")
    func supervised() throws {
        let first = try SFTSettings.load(
            arguments: ["model.path=/m", "data.train_files=a.jsonl"], environment: [:])
        let file = TemporaryFile("config.yaml", first.report.resolved.yaml)
        let varied = try SFTSettings.load(
            arguments: [
                file.path, "checkpoint.save_contents=[model]", "optim.warmup_steps_ratio=0.2",
            ], environment: [:])
        #expect(!varied.trainer.checkpoint.savesOptimizer)
        #expect(varied.optimizer.warmupRatio == 0.2)
    }

    @Test("the reference names the key that a default follows")
    func reference() throws {
        let text = try KnownSettings(.train, arguments: [], environment: [:]).explanation(
            of: "critic.model.lora_rank")
        #expect(text.contains("default  as actor_rollout_ref.model.lora_rank\n"))
    }
}
