import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

@Suite("Runs with a critic, or with a state of their own")
struct ActorCriticRunTests {
    private static let ppo = ["algorithm.adv_estimator=gae", "critic.optim.lr=0.01"]

    @Test("PPO trains actor and critic, each with its own folder and metrics")
    func folders() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a", Self.ppo)
            let path = "\(folder)/a/global_step_3"
            for file in [
                "actor/lora_adapter/adapter_config.json", "actor/optimizer.safetensors",
                "critic/lora_adapter/adapter_config.json", "critic/optimizer.safetensors",
            ] {
                #expect(fileExists("\(path)/\(file)"), "\(file)")
            }
            let config = try Decoder(directory: RunFolder.model).config
            let critic = try LoRAAdapter(
                directory: "\(path)/critic/lora_adapter", for: config, task: .tokenClassification)
            #expect(critic.valueHead != nil)
            let B = critic.parameters.slots.indices.filter {
                critic.parameters.slots[$0].name.contains("lora_B")
            }
            #expect(B.allSatisfy { critic.parameters.parameter($0).toArray().contains { $0 != 0 } })
            for step in try runs.stepMetrics("a") {
                for name in [
                    "critic/vf_loss", "critic/vf_clipfrac", "critic/vpred_mean",
                    "critic/grad_norm", "critic/lr", "critic/values/mean",
                    "critic/vf_explained_var", "critic/returns/mean", "actor/pg_loss",
                    "timing_s/values", "timing_s/update_critic", "timing_s/update_actor",
                ] {
                    #expect(step[name]?.double?.isFinite == true, "\(name)")
                }
            }
        }
    }

    @Test("the actor waits for the critic, and its learning rate begins when it does")
    func warmUp() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a",
                Self.ppo + [
                    "trainer.critic_warmup=2", "actor_rollout_ref.actor.optim.lr_warmup_steps=2",
                    "trainer.save_freq=1",
                ])
            let steps = try runs.stepMetrics("a", having: "critic/vf_loss")
            #expect(steps.map { $0["actor/lr"]?.double } == [nil, 0, 0.005])
            #expect(steps.allSatisfy { $0["critic/lr"]?.double == 0.01 })
            let config = try Decoder(directory: RunFolder.model).config
            let first = try LoRAAdapter(
                directory: "\(folder)/a/global_step_1/actor/lora_adapter", for: config)
            let B = first.parameters.slots.indices.filter { $0 % 2 == 1 }
            #expect(
                B.allSatisfy { first.parameters.parameter($0).toArray().allSatisfy { $0 == 0 } })
        }
    }

    /// What a run keeps besides its adapter, and where.
    private static let states: [(name: String, settings: [String], file: String)] = [
        (
            "critic", ppo + ["trainer.critic_warmup=2"],
            "critic/lora_adapter/adapter_model.safetensors"
        ),
        (
            "adaptive KL",
            [
                "algorithm.use_kl_in_reward=true", "algorithm.kl_ctrl.type=adaptive",
                "algorithm.kl_ctrl.horizon=20", "algorithm.kl_ctrl.target_kl=0.001",
            ], "trainer_state.json"
        ),
        (
            "moving average",
            ["actor_rollout_ref.ref.adapter=ema", "actor_rollout_ref.ref.ema_decay=0.5"],
            "actor/reference_adapter/adapter_model.safetensors"
        ),
        (
            "samples drawn again",
            ["algorithm.use_pf_ppo=true", "actor_rollout_ref.actor.shuffle=true"],
            "actor/optimizer.safetensors"
        ),
    ]

    @Test("a run that stopped and goes on ends like one that never stopped", arguments: states)
    func resuming(name: String, settings: [String], file: String) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            func train(_ name: String, steps: Int) async throws {
                try await runs.train(
                    name, settings + ["trainer.total_training_steps=\(steps)"])
            }
            try await train("whole", steps: 4)
            try await train("parts", steps: 2)
            try await train("parts", steps: 4)
            let adapters = try ["whole", "parts"].map {
                try runs.bytes(RunFolder.adapterFile($0, step: 4))
            }
            #expect(adapters[0] == adapters[1])
            #expect(
                try runs.bytes("whole/global_step_4/\(file)")
                    == runs.bytes("parts/global_step_4/\(file)"))
            #expect(
                try runs.bytes("whole/global_step_4/\(file)")
                    != runs.bytes("parts/global_step_2/\(file)"))
            let rewards = try ["whole", "parts"].map {
                try runs.metrics($0).map { $0["data"]?["critic/rewards/mean"] }
            }
            #expect(rewards[0] == rewards[1] && rewards[0].count >= 4)
        }
    }

    @Test("a run cannot go on without the moving average that it began with")
    func leftAverage() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train(
                "a", "trainer.total_training_steps=1", "actor_rollout_ref.ref.adapter=ema")
            let error = await #expect(throws: TrainingError.self) { try await runs.train("a") }
            #expect(error?.description.contains("holds a moving average") == true)
        }
    }

    @Test("a run cannot go on with a moving average that it did not begin with")
    func missingAverage() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await runs.train("a", "trainer.total_training_steps=1")
            let error = await #expect(throws: TrainingError.self) {
                try await runs.train("a", "actor_rollout_ref.ref.adapter=ema")
            }
            #expect(error?.description.contains("ref.adapter=ema") == true)
        }
    }
}
