import Formats
import Objectives
import Rollouts
import Settings
import Testing

@testable import Training

struct TrainSettingsTests {
    private static let needed = [
        "actor_rollout_ref.model.path=/m", "data.train_files=train.jsonl",
        "algorithm.adv_estimator=grpo", "data.train_batch_size=16",
    ]

    private func load(_ arguments: String...) throws -> TrainSettings {
        try TrainSettings.load(
            arguments: Self.needed + arguments, environment: ["HOME": "/home/ada"])
    }

    private func message(_ arguments: String...) -> String {
        #expect(throws: SettingsError.self) {
            _ = try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
        }?.description ?? ""
    }

    @Test("what is not given has verl's default")
    func defaults() throws {
        let settings = try load()
        #expect(settings.data.prompts.maxLength == 512)
        #expect(settings.data.maxResponseLength == 512)
        #expect(settings.model.tokenizerPath == "/m")
        #expect(settings.model.lora.rank == 0)
        #expect(settings.model.lora.alpha == 16)
        #expect(settings.model.lora.targets == .allLinear)
        #expect(settings.actor.optimizer.learningRate == 1e-6)
        #expect(settings.actor.optimizer.gradientClip == 1)
        #expect(settings.actor.loss.aggregation == .tokenMean)
        #expect(settings.actor.loss.klEstimator == KLEstimator(.k3))
        #expect(settings.rollout.sampling.temperature == 1)
        #expect(settings.rollout.validationSampling.isGreedy)
        #expect(settings.algorithm.advantage.normalizeByDeviation)
        #expect(settings.trainer.run.totalEpochs == 30)
        #expect(settings.trainer.run.folder == "checkpoints/lorikeet/train")
        #expect(settings.trainer.run.resume == .auto)
        #expect(settings.report.notices.count == 1)
        #expect(settings.report.notices.first?.contains("rollout.n' is 1") == true)
        #expect(try load("actor_rollout_ref.rollout.n=2").report.notices == [])
    }

    @Test("a mini-batch is no larger than a step, and micro-batches go by tokens")
    func newcomerDefaults() throws {
        let settings = try load()
        #expect(settings.actor.miniBatchSize == 16)
        #expect(settings.actor.microBatch == .tokens(16384))
        #expect(settings.reference.microBatch == .tokens(16384))
    }

    @Test("the rollout's memory, prefixes and prompts reach the engine")
    func engineSettings() throws {
        let rollout = "actor_rollout_ref.rollout"
        let plain = EngineSettings(try load())
        #expect(plain.cacheLimit == .memoryShare(0.5))
        #expect(plain.reusesPrefixes && plain.chunksPrompts)
        let changed = EngineSettings(
            try load(
                "\(rollout).gpu_memory_utilization=0.6", "\(rollout).enable_prefix_caching=False",
                "\(rollout).enable_chunked_prefill=False",
                "\(rollout).max_num_batched_tokens=1024"))
        #expect(changed.cacheLimit == .memoryShare(0.6))
        #expect(!changed.reusesPrefixes && !changed.chunksPrompts)
        #expect(changed.maxBatchedTokens == 1024 && changed.maxModelLength == 1024)
        for share in ["0", "1.1", "-0.5"] {
            #expect(
                message("\(rollout).gpu_memory_utilization=\(share)")
                    .contains("gpu_memory_utilization"))
        }
    }

    @Test("an adapter to go on from brings its rank, unless one is given")
    func adapterRank() throws {
        let path = "actor_rollout_ref.model.lora_adapter_path=/a"
        let own = try load(path).model.lora
        #expect(own.isOn && own.rank == nil)
        #expect(try load(path, "actor_rollout_ref.model.lora_rank=8").model.lora.rank == 8)
        let tree = SettingsTree(root: try load(path).report.resolved, environment: [:])
        #expect(try TrainSettings(SettingsReader(tree)).model.lora.rank == nil)
    }

    @Test("samples at once are counted as verl counts them when several keys are given")
    func microBatch() throws {
        let actor = "actor_rollout_ref.actor"
        let both = try load(
            "\(actor).use_dynamic_bsz=True", "\(actor).ppo_micro_batch_size_per_gpu=4")
        #expect(both.actor.microBatch == .tokens(16384))
        #expect(
            both.report.notices.contains {
                $0.contains("actor.ppo_micro_batch_size_per_gpu")
                    && $0.contains("use_dynamic_bsz")
            })
        #expect(try load("\(actor).ppo_micro_batch_size=4").actor.microBatch == .samples(4))
    }

    @Test("keys without effect are noted once for each reason, with verl's short names")
    func notices() throws {
        let role = "actor_rollout_ref"
        let notices = try load(
            "\(role).rollout.n=2", "\(role).actor.fsdp_config.param_offload=True",
            "\(role).actor.fsdp_config.optimizer_offload=True",
            "+\(role).ref.fsdp_config.param_offload=True",
            "\(role).rollout.layered_summon=True", "trainer.nnodes=2", "trainer.n_gpus_per_node=8"
        ).report.notices
        #expect(
            notices.contains(
                "without effect, as one process holds the one copy of the weights, so there is"
                    + " nothing to shard or offload: actor.fsdp_config.{param_offload,"
                    + " optimizer_offload}, ref.fsdp_config.param_offload"))
        #expect(notices.count == 3)
        #expect(
            message("\(role).actor.fsdp_config.param_ofload=True").contains(
                "did you mean '\(role).actor.fsdp_config.param_offload'?"))
    }

    @Test("the resolved configuration gives the same run again")
    func resolvedAgain() throws {
        let first = try load(
            "actor_rollout_ref.model.lora_rank=8", "actor_rollout_ref.actor.optim.clip_grad=0.5",
            "actor_rollout_ref.model.target_modules=[q_proj,v_proj]",
            "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4",
            "data.apply_chat_template_kwargs={enable_thinking: false}",
            "actor_rollout_ref.model.rank_pattern={'layers.0.self_attn.q_proj': 4}")
        let tree = SettingsTree(root: first.report.resolved, environment: [:])
        let second = try TrainSettings(SettingsReader(tree))
        #expect(second.report.resolved.yaml == first.report.resolved.yaml)
        #expect(second.actor.optimizer.gradientClip == 0.5)
        #expect(second.model.lora.rankPattern == ["layers.0.self_attn.q_proj": 4])
        #expect(second.data.prompts.chatTemplateArguments["enable_thinking"] == false)
    }

    @Test("an unknown key of verl's tree is answered with the nearest one")
    func unknownKey() {
        #expect(
            message("actor_rollout_ref.model.lora_rnk=8").contains(
                "did you mean 'actor_rollout_ref.model.lora_rank'?"))
    }

    @Test("clip_ratio holds for both sides unless they have their own")
    func clipRatio() throws {
        let actor = "actor_rollout_ref.actor"
        let both = try load("\(actor).clip_ratio=0.1").actor.loss
        #expect(both.clipLow == 0.1 && both.clipHigh == 0.1)
        let high = try load("\(actor).clip_ratio=0.1", "\(actor).clip_ratio_high=0.28").actor.loss
        #expect(high.clipLow == 0.1 && high.clipHigh == 0.28)
        let null = try load("\(actor).clip_ratio=0.3", "\(actor).clip_ratio_low=null").actor.loss
        #expect(null.clipLow == 0.3 && null.clipHigh == 0.3)
        // verl's CISPO script leaves the lower clip out in this way.
        #expect(try load("\(actor).clip_ratio_low=10").actor.loss.clipLow == 10)
        let idle = try load(
            "\(actor).clip_ratio=0.3", "\(actor).clip_ratio_low=0.1",
            "\(actor).clip_ratio_high=0.2")
        #expect(idle.report.notices.contains { $0.contains("clip_ratio") })
    }

    @Test("layers are all-linear, a list of names or an expression")
    func targets() throws {
        let key = "actor_rollout_ref.model.target_modules"
        #expect(try load("\(key)=all-linear").model.lora.targets == .allLinear)
        #expect(
            try load("\(key)=['q_proj','v_proj']").model.lora.targets
                == .names(["q_proj", "v_proj"]))
        #expect(try load("\(key)='.*q_proj'").model.lora.targets == .pattern(".*q_proj"))
        #expect(message("\(key)=[]").contains(key))
        #expect(message("\(key)={a: b}").contains(key))
    }

    @Test("warm-up is a number of updates or a share of all")
    func warmup() throws {
        let optim = "actor_rollout_ref.actor.optim"
        #expect(
            try load("\(optim).lr_warmup_steps=7").actor.optimizer.warmupSteps(totalSteps: 100) == 7
        )
        let share = try load("\(optim).lr_warmup_steps_ratio=0.25").actor.optimizer
        #expect(share.warmupSteps(totalSteps: 10) == 2)
    }

    @Test("the clipping norm may stand in either place, but not differ")
    func gradientClip() throws {
        let actor = "actor_rollout_ref.actor"
        #expect(try load("\(actor).grad_clip=0.3").actor.optimizer.gradientClip == 0.3)
        #expect(try load("\(actor).optim.clip_grad=0.4").actor.optimizer.gradientClip == 0.4)
        let text = message("\(actor).grad_clip=0.3", "\(actor).optim.clip_grad=0.4")
        #expect(text.contains("\(actor).grad_clip") && text.contains("\(actor).optim.clip_grad"))
    }

    /// Arguments that contradict each other, and keys that the message must name.
    private static let contradictions: [([String], [String])] = [
        (
            ["actor_rollout_ref.actor.ppo_mini_batch_size=5"],
            ["data.train_batch_size", "actor_rollout_ref.actor.ppo_mini_batch_size"]
        ),
        (
            ["actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=3"],
            [
                "actor_rollout_ref.rollout.n",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu",
            ]
        ),
        (
            [
                "actor_rollout_ref.model.lora_adapter_path=/a",
                "actor_rollout_ref.model.lora_rank=0",
            ],
            ["actor_rollout_ref.model.lora_adapter_path", "actor_rollout_ref.model.lora_rank"]
        ),
        (
            ["actor_rollout_ref.model.rank_pattern={q_proj: 4}"],
            ["actor_rollout_ref.model.rank_pattern", "actor_rollout_ref.model.lora_rank"]
        ),
        (
            ["actor_rollout_ref.rollout.max_model_len=1000"],
            ["data.max_prompt_length", "actor_rollout_ref.rollout.max_model_len"]
        ),
        (
            [
                "actor_rollout_ref.rollout.enable_chunked_prefill=False",
                "actor_rollout_ref.rollout.max_num_batched_tokens=1023",
            ],
            [
                "data.max_prompt_length", "actor_rollout_ref.rollout.enable_chunked_prefill",
                "actor_rollout_ref.rollout.max_num_batched_tokens",
            ]
        ),
        (
            [
                "actor_rollout_ref.actor.ppo_micro_batch_size=2",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4",
            ],
            [
                "actor_rollout_ref.actor.ppo_micro_batch_size",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu",
            ]
        ),
        (
            ["actor_rollout_ref.actor.use_dynamic_bsz=False"],
            [
                "actor_rollout_ref.actor.use_dynamic_bsz",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu",
            ]
        ),
        (
            ["algorithm.adv_estimator=grpo_passk"],
            ["algorithm.adv_estimator", "actor_rollout_ref.rollout.n"]
        ),
        (["trainer.test_freq=5"], ["trainer.test_freq", "data.val_files"]),
        (["trainer.resume_mode=resume_path"], ["trainer.resume_mode", "trainer.resume_from_path"]),
        (
            ["custom_reward_function.path=r.py", "reward.function=gsm8k"],
            ["custom_reward_function.path", "reward.function"]
        ),
        (
            ["actor_rollout_ref.rollout.val_kwargs.n=4"],
            [
                "actor_rollout_ref.rollout.val_kwargs.n",
                "actor_rollout_ref.rollout.val_kwargs.do_sample",
            ]
        ),
        (
            ["actor_rollout_ref.rollout.response_length=7"],
            ["data.max_response_length", "actor_rollout_ref.rollout.response_length"]
        ),
    ]

    @Test("a contradiction names both keys", arguments: contradictions)
    func contradiction(arguments: [String], keys: [String]) {
        let error = #expect(throws: SettingsError.self) {
            try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
        }
        for key in keys { #expect(error?.description.contains("'\(key)'") == true, "\(key)") }
    }

    @Test(
        "impossible values are refused",
        arguments: [
            "data.train_batch_size=0", "data.truncation=middel", "data.max_prompt_length=-1",
            "actor_rollout_ref.actor.clip_ratio_c=1", "actor_rollout_ref.rollout.top_p=0",
            "actor_rollout_ref.rollout.temperature=0", "actor_rollout_ref.rollout.top_k=0",
            "actor_rollout_ref.actor.kl_loss_type=full",
            "actor_rollout_ref.actor.loss_agg_mode=mean",
            "actor_rollout_ref.actor.policy_loss.loss_mode=none", "trainer.device=tpu",
            "actor_rollout_ref.actor.optim.betas=[0.9]", "actor_rollout_ref.actor.optim.lr=nan",
            "actor_rollout_ref.actor.optim.optimizer=SGD", "algorithm.adv_estimator=grpoo",
            "data.custom_cls.path=x.py", "actor_rollout_ref.model.lora.rank=8",
            "actor_rollout_ref.rollout.multi_turn.enable=True", "critic.enable=True",
            "reward_model.enable=True", "reward_model.reward_manager=prime",
            "trainer.save_freq=0", "trainer.resume_mode=maybe",
        ])
    func impossible(argument: String) {
        let key = String(argument.prefix { $0 != "=" })
        #expect(message(argument).contains("'\(key)'"))
    }

    @Test("the two keys that every run needs are asked for")
    func needed() {
        let error = #expect(throws: SettingsError.self) {
            try TrainSettings.load(arguments: ["actor_rollout_ref.model.pth=/m"], environment: [:])
        }
        #expect(error?.description.contains("'actor_rollout_ref.model.pth'") == true)
        let other = #expect(throws: SettingsError.self) {
            try TrainSettings.load(
                arguments: ["actor_rollout_ref.model.path=/m", "data.train_file=a.jsonl"],
                environment: [:])
        }
        #expect(other?.description.contains("'data.train_files' is needed") == true)
        #expect(other?.description.contains("'data.train_file'") == true)
    }

    @Test("the user's own reward function is read with its arguments")
    func customReward() throws {
        let reward = try load(
            "custom_reward_function.path=~/r.py", "custom_reward_function.name=score",
            "+custom_reward_function.reward_kwargs.scale=2.5"
        ).reward
        #expect(reward.custom?.path == "/home/ada/r.py")
        #expect(reward.custom?.name == "score")
        #expect(reward.custom?.arguments["scale"] == 2.5)
    }
}
