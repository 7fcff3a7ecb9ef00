import Models
import Objectives
import OracleFixtures
import Settings
import Testing

@testable import Training

@Suite("Critic settings")
struct CriticSettingsTests {
    private static let model = "actor_rollout_ref.model.path=/m"

    private func read(_ arguments: String...) throws -> CriticSettings {
        try #require(try CriticExample.read([Self.model] + arguments))
    }

    private func message(_ arguments: [String], estimator: String = "gae") -> String {
        #expect(throws: SettingsError.self) {
            try CriticExample.read([Self.model] + arguments, estimator: estimator)
        }?.description ?? ""
    }

    /// What is said about keys without effect.
    private func notices(_ arguments: [String], estimator: String = "gae") throws -> [String] {
        var found: [String] = []
        _ = try CriticExample.read([Self.model] + arguments, estimator: estimator) {
            found = unusedSettingNotices($0.unused) + $0.notes
        }
        return found
    }

    @Test("what is not given is the actor's, or verl's default")
    func defaults() throws {
        let settings = try read(
            "actor_rollout_ref.model.lora_rank=8", "actor_rollout_ref.model.lora_alpha=32",
            "actor_rollout_ref.actor.ppo_mini_batch_size=4",
            "actor_rollout_ref.actor.ppo_epochs=3", "actor_rollout_ref.actor.shuffle=True",
            "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean",
            "actor_rollout_ref.model.enable_gradient_checkpointing=False",
            "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2")
        #expect(settings.path == "/m" && settings.sharesActorBase)
        #expect(settings.lora.rank == 8 && settings.lora.alpha == 32)
        #expect(settings.miniBatchSize == 4 && settings.epochs == 3 && settings.shuffle)
        #expect(settings.microBatch == .samples(2) && settings.valueMicroBatch == .samples(2))
        #expect(settings.loss.aggregation == .sequenceMeanTokenMean)
        #expect(settings.loss.clipRange == 0.5)
        #expect(settings.optimizer.learningRate == 1e-5)
        #expect(settings.optimizer.gradientClip == 1)
        #expect(settings.checkpoint.savesOptimizer && settings.activationMemory == .unlimited)
    }

    @Test("its own keys stand before the actor's")
    func ownKeys() throws {
        let settings = try read(
            "actor_rollout_ref.model.lora_rank=8", "actor_rollout_ref.model.lora_alpha=32",
            "critic.model.path=/c", "critic.model.lora_rank=2",
            "critic.model.target_modules=[q_proj]", "critic.ppo_mini_batch_size=2",
            "critic.ppo_epochs=2", "critic.use_dynamic_bsz=True",
            "critic.ppo_max_token_len_per_gpu=512", "critic.forward_max_token_len_per_gpu=2048",
            "critic.cliprange_value=0.2", "critic.loss_agg_mode=seq-mean-token-sum",
            "critic.grad_clip=0.5", "critic.optim.lr=2e-5", "critic.data_loader_seed=7")
        #expect(settings.path == "/c" && !settings.sharesActorBase)
        // A rank of its own brings verl's alpha.
        #expect(settings.lora.rank == 2 && settings.lora.alpha == 16)
        #expect(settings.lora.targets == .names(["q_proj"]))
        #expect(settings.miniBatchSize == 2 && settings.epochs == 2 && settings.shuffleSeed == 7)
        #expect(settings.microBatch == .tokens(512) && settings.valueMicroBatch == .tokens(2048))
        #expect(settings.loss.clipRange == 0.2)
        #expect(settings.loss.aggregation == .sequenceMeanTokenSum)
        #expect(settings.optimizer.gradientClip == 0.5 && settings.optimizer.learningRate == 2e-5)
    }

    @Test("an explicit rank of 0 trains a whole model")
    func wholeModel() throws {
        let keys = ["actor_rollout_ref.model.lora_rank=8", "critic.model.lora_rank=0"]
        #expect(try !read(keys[0], keys[1]).lora.isOn)
        #expect(try notices(keys) == [])
        let note = try #require(try notices([keys[0]]).first)
        #expect(note.contains("'critic.model.lora_rank' is not set") && note.contains("rank 8"))
    }

    @Test("one folder written in two ways is the actor's path")
    func samePath() throws {
        let folder = OracleFixtures.path("models/qwen2-tiny")
        let settings = try #require(
            try CriticExample.read([
                "actor_rollout_ref.model.path=\(folder)",
                "critic.model.path=\(folder)/../qwen2-tiny/",
            ]))
        #expect(settings.sharesActorBase)
    }

    @Test("a critic runs exactly where the estimator needs values")
    func enabling() throws {
        let keys = [Self.model]
        #expect(try CriticExample.read(keys, estimator: "grpo") == nil)
        #expect(try CriticExample.read(keys + ["critic.enable=null"]) != nil)
        #expect(try CriticExample.read(keys + ["critic.enable=True"]) != nil)
        #expect(try CriticExample.read(keys + ["critic.enable=False"], estimator: "grpo") == nil)
        for (value, estimator) in [("False", "gae"), ("True", "grpo")] {
            let found = message(["critic.enable=\(value)"], estimator: estimator)
            #expect(found.contains("'critic.enable'"), "\(found)")
            #expect(found.contains("'algorithm.adv_estimator'"), "\(found)")
        }
    }

    @Test("keys of a critic that does not run are said to have no effect in one line")
    func unused() throws {
        let found = try notices(
            ["critic.optim.lr=1e-5", "critic.strategy=fsdp", "critic.ppo_epochs=2"],
            estimator: "grpo")
        #expect(found.count == 1)
        #expect(found.first?.contains("adv_estimator=grpo uses no values") == true)
        #expect(try notices([], estimator: "grpo") == [])
    }

    @Test(
        "contradictions and impossible values name their keys",
        arguments: [
            (["critic.ppo_mini_batch_size=3"], ["data.train_batch_size", "ppo_mini_batch_size"]),
            (
                ["critic.ppo_micro_batch_size_per_gpu=3"],
                ["critic.ppo_mini_batch_size", "critic.ppo_micro_batch_size_per_gpu"]
            ),
            (
                ["critic.ppo_micro_batch_size_per_gpu=2", "critic.ppo_micro_batch_size=4"],
                ["critic.ppo_micro_batch_size_per_gpu", "critic.ppo_micro_batch_size"]
            ),
            (["critic.cliprange_value=0"], ["critic.cliprange_value"]),
            (["critic.loss_agg_mode=mean"], ["critic.loss_agg_mode"]),
            (["critic.forward_micro_batch_size=2"], ["critic.forward_micro_batch_size"]),
            (["critic.grad_clip=2", "critic.optim.clip_grad=3"], ["critic.grad_clip"]),
            (
                ["critic.model.lora_adapter_path=/a", "critic.model.lora_rank=0"],
                ["critic.model.lora_adapter_path", "critic.model.lora_rank"]
            ),
        ] as [([String], [String])])
    func refusals(arguments: [String], keys: [String]) {
        let found = message(arguments)
        for key in keys { #expect(found.contains(key), "\(found)") }
    }

    /// verl's own, of both its engines, written as its users' files have it.
    private static let verl = """
        actor_rollout_ref:
          model: {path: /m}
        critic:
          rollout_n: 1
          strategy: fsdp
          enable: null
          optim:
            optimizer: AdamW
            optimizer_impl: torch.optim
            lr: 1.0e-05
            lr_warmup_steps_ratio: 0.0
            total_training_steps: -1
            weight_decay: 0.01
            lr_warmup_steps: -1
            betas: [0.9, 0.999]
            clip_grad: 1.0
            min_lr_ratio: 0.0
            num_cycles: 0.5
            lr_scheduler_type: constant
            warmup_style: null
            override_optimizer_config: null
          model:
            fsdp_config: {param_offload: false, optimizer_offload: false, fsdp_size: -1}
            path: /c
            tokenizer_path: ${oc.select:actor_rollout_ref.model.path,/m}
            override_config: {}
            external_lib: null
            trust_remote_code: false
            use_shm: false
            enable_gradient_checkpointing: true
            enable_activation_offload: false
            use_remove_padding: false
            lora_rank: 0
            lora_alpha: 16
            target_modules: all-linear
            tiled_mlp: {enabled: false, num_shards: 4}
            lora: {type: lora, rank: 0, alpha: 32, dropout: 0.0, dropout_position: pre}
          ppo_mini_batch_size: 8
          ppo_micro_batch_size: null
          ppo_micro_batch_size_per_gpu: ${oc.select:.ppo_micro_batch_size,null}
          use_dynamic_bsz: true
          ppo_max_token_len_per_gpu: 32768
          forward_max_token_len_per_gpu: ${.ppo_max_token_len_per_gpu}
          ppo_epochs: 1
          shuffle: false
          data_loader_seed: 42
          cliprange_value: 0.5
          loss_agg_mode: token-mean
          checkpoint:
            save_contents: [model, optimizer, extra]
            load_contents: ${.save_contents}
            async_save: false
          profiler: {tool: null, enable: false}
          forward_micro_batch_size: ${oc.select:.ppo_micro_batch_size,null}
          forward_micro_batch_size_per_gpu: ${oc.select:.ppo_micro_batch_size_per_gpu,null}
          ulysses_sequence_parallel_size: 1
          grad_clip: 1.0
          megatron: {tensor_model_parallel_size: 1}
          nccl_timeout: 600
          load_weight: true
        """

    @Test("every key of verl's critic is known, with verl's default")
    func allKnown() throws {
        let file = TemporaryFile("critic.yaml", Self.verl)
        var unknown: SettingsError?
        let settings = try #require(
            try CriticExample.read([file.path]) { reader in
                do throws(SettingsError) { try reader.finish() } catch { unknown = error }
            })
        #expect(unknown == nil)
        #expect(settings.microBatch == .tokens(32768) && !settings.lora.isOn)
        #expect(settings.valueMicroBatch == .tokens(32768))
    }

    @Test("the keys of verl's PPO scripts read as they stand")
    func script() throws {
        let settings = try read(
            "critic.optim.lr=1e-5", "critic.model.use_remove_padding=True",
            "critic.optim.lr_warmup_steps_ratio=0.05", "critic.model.path=/m",
            "critic.model.enable_gradient_checkpointing=True",
            "critic.ppo_micro_batch_size_per_gpu=16", "critic.use_dynamic_bsz=False",
            "critic.model.fsdp_config.param_offload=False",
            "critic.model.fsdp_config.optimizer_offload=False")
        #expect(settings.optimizer.warmupSteps(totalSteps: 100) == 5)
        #expect(settings.microBatch == .samples(16) && settings.sharesActorBase)
    }

    @Test("a warm-up needs a critic")
    func warmup() throws {
        let reader = SettingsReader(
            try SettingsTree.load(arguments: ["trainer.critic_warmup=5"], environment: [:]))
        let trainer = try TrainerSettings(reader.scope("trainer"))
        #expect(trainer.criticWarmup == 5)
        try trainer.checkWarmup(reader, hasCritic: true)
        let error = #expect(throws: SettingsError.self) {
            try trainer.checkWarmup(reader, hasCritic: false)
        }
        #expect(error?.description.contains("'trainer.critic_warmup' is 5") == true)
    }
}
