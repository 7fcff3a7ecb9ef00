import Formats
import Objectives
import OracleFixtures
import Settings
import Testing

@testable import Training

/// Commands of verl's own scripts, as the words that a shell passes on.
struct VerlCommandsTests {
    private static func words(_ name: String) throws -> [String] {
        let file = try JSON(contentsOfFile: OracleFixtures.path("verl/commands.json"))
        return try #require(file[name]?["words"]?.array).compactMap(\.string)
    }

    private func load(_ name: String, _ more: String...) throws -> TrainSettings {
        try TrainSettings.load(
            arguments: Self.words(name) + more, environment: ["HOME": "/home/ada"])
    }

    @Test("the GSM8K LoRA script")
    func gsm8kLoRA() throws {
        let settings = try load("grpo-lora-3b")
        #expect(settings.model.path == "Qwen/Qwen2.5-3B-Instruct")
        #expect(settings.model.lora.rank == 64 && settings.model.lora.alpha == 32)
        #expect(settings.actor.optimizer.learningRate == 3e-6)
        #expect(settings.actor.microBatch == .samples(40))
        #expect(settings.rollout.logProbabilityMicroBatch == .samples(40))
        #expect(settings.rollout.sampling.responseCount == 5)
        #expect(settings.actor.loss.useKLLoss)
        #expect(settings.data.validationFiles == ["/home/ada/data/gsm8k/test.parquet"])
        #expect(!settings.data.shuffle && !settings.trainer.validatesFirst)
        #expect(settings.trainer.run.saveInterval == 20 && settings.trainer.run.totalEpochs == 15)
        #expect(
            settings.trainer.run.folder
                == "checkpoints/verl_grpo_example_gsm8k/qwen2.5_3b_grpo_lora")
        #expect(settings.report.notices.count <= 8)
    }

    @Test("the 72B reference of the LoRA page")
    func documentation() throws {
        let settings = try load(
            "documentation-72b", "actor_rollout_ref.model.path=/m", "data.train_files=a.jsonl")
        #expect(settings.data.trainBatchSize == 64 && settings.actor.miniBatchSize == 64)
        #expect(settings.model.lora.rank == 32)
        #expect(settings.rollout.maxModelLength == 1536)
        #expect(settings.rollout.maxSequences == 64)
        let notices = settings.report.notices.joined(separator: "\n")
        for key in ["use_shm", "layered_summon", "load_format", "fsdp_size"] {
            #expect(notices.contains(key))
        }
    }

    @Test("scripts that go on from an adapter, whose rank they do not say")
    func fromAdapter() throws {
        let earlier = try load("grpo-lora-3b-from-adapter").model.lora
        #expect(earlier.isOn && earlier.rank == nil)
        #expect(earlier.adapterPath == "/path/saved/lora_adapter")
        #expect(try load("lora-8b-from-adapter").model.lora.adapterPath == "/adapters/one")
    }

    @Test("tuning scripts for LoRA, early and late")
    func tuning() throws {
        #expect(try load("tuning-0.5b-lora").rollout.logProbabilityMicroBatch == .samples(1))
        #expect(try load("tuning-72b-lora").actor.microBatch == .samples(176))
        #expect(try load("lora-8b").actor.microBatch == .tokens(12288))
        #expect(try load("lora-8b-merge").model.lora.alpha == 64)
        #expect(try load("grpo-4b").actor.epochs == 1)
    }

    @Test("PPO scripts, whose critic is a whole model on the actor's path")
    func ppo() throws {
        for name in ["ppo-deepseek-7b", "ppo-qwen2-7b-seq-balance", "ppo-8b"] {
            let settings = try load(name)
            let critic = try #require(settings.critic)
            #expect(critic.sharesActorBase && !critic.lora.isOn)
            #expect(critic.optimizer.learningRate == 1e-5)
            #expect(settings.actor.optimizer.learningRate == 1e-6)
        }
        #expect(try load("ppo-8b").data.trainFiles.count == 2)
    }

    @Test("DAPO's recipes: groups are filtered, long responses penalised, and generated in batches")
    func dapo() throws {
        for name in ["dapo-32b", "dapo-e2e"] {
            let settings = try load(name)
            #expect(settings.algorithm.groupFilter != nil)
            #expect(settings.reward.overlongPenalty != nil)
            #expect(settings.actor.loss.clipHigh == 0.28)
        }
        #expect(
            try load("dapo-32b").report.notices.contains {
                $0.contains("trainer.{n_gpus_per_node, nnodes}")
            })
        // Its model's configuration is changed in passing, which is refused by name.
        let error = #expect(throws: SettingsError.self) { try load("dapo-7b-lora") }
        #expect(error?.description.contains("'actor_rollout_ref.model.override_config'") == true)
        let lora = try load("dapo-7b-lora", "~actor_rollout_ref.model.override_config")
        #expect(lora.model.lora.rank == 8 && lora.reward.overlongPenalty != nil)
    }

    @Test("SFT scripts, LoRA's with fields within fields")
    func supervised() throws {
        func load(_ name: String) throws -> SFTSettings {
            try SFTSettings.load(arguments: Self.words(name), environment: [:])
        }
        let lora = try load("sft-peft")
        #expect(lora.model.lora.rank == 32 && lora.data.rows.promptKey == "extra_info")
        #expect(lora.data.rows.promptPath == ["question"])
        #expect(lora.data.rows.responsePath == ["answer"])
        #expect(try load("sft-multiturn").data.microBatch == .samples(4))
        #expect(try load("sft-engine").optimizer.learningRate == 1e-4)
    }
}
