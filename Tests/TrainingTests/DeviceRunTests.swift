import Formats
import OracleFixtures
import Tensors
import Testing

@testable import Training

@Suite("Runs on a device", .serialized)
struct DeviceRunTests {
    /// A step of two prompts with two short responses each.
    private static let small = [
        "data.train_batch_size=2", "actor_rollout_ref.rollout.n=2", "data.max_response_length=4",
        "actor_rollout_ref.actor.ppo_mini_batch_size=1", "trainer.total_training_steps=1",
    ]
    private static let ppo = ["algorithm.adv_estimator=gae", "critic.optim.lr=0.01"]
    /// What a run may have besides an adapter on its model.
    private static let kinds: [(name: String, settings: [String])] = [
        ("GRPO", []),
        ("PPO", ppo),
        ("PPO with a whole model for a critic", ppo + ["critic.model.lora_rank=0"]),
        ("the whole model", ["actor_rollout_ref.model.lora_rank=0"]),
        ("a moving average", ["actor_rollout_ref.ref.adapter=ema"]),
        ("activations computed again", ["actor_rollout_ref.model.activation_memory_gb=0"]),
    ]

    /// What two runs measured alike: all but times and memory.
    private func compare(_ runs: RunFolder, _ host: String, _ device: String) throws {
        let (expected, found) = (try runs.metrics(host), try runs.metrics(device))
        #expect(found.count == expected.count && !found.isEmpty)
        for (expected, found) in zip(expected, found) {
            let (expected, found) = (expected["data"]?.object, found["data"]?.object)
            // The host's rollouts are training's own; elsewhere there is a pass for the old ones.
            let names = expected?.map(\.key).filter {
                !$0.hasPrefix("perf/") && !$0.hasPrefix("timing_")
            }
            #expect(names?.isEmpty == false)
            for name in names ?? [] {
                guard let value = expected?[name]?.double else { continue }
                let other = found?[name]?.double ?? .infinity
                #expect(abs(other - value) <= 1e-3 * max(1, abs(value)), "\(name)")
            }
        }
    }

    @Test("a step gives the host's numbers", arguments: kinds)
    func reinforcement(name: String, settings: [String]) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let all = Self.small + ["data.val_files=\(folder)/val.jsonl"] + settings
            try await runs.train("host", all)
            try await onEmulatedDevice { device in
                try await runs.train("device", all)
                #expect(device.pool.ledger.peakBytes > 0)
                #expect(device.pool.ledger.bytesByPurpose[.keyValueCache, default: 0] == 0)
            }
            try compare(runs, "host", "device")
            let peak = try runs.stepMetrics("device")[0]["perf/max_memory_allocated_gb"]?.double
            // The model's weights and cuBLASLt's workspace of 32 MiB are on the device.
            #expect((peak ?? 0) * 1024 > 32)
        }
    }

    @Test("supervised updates give the host's numbers", arguments: [4, 0])
    func supervised(rank: Int) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            func fineTune(_ name: String) throws {
                try runs.fineTune(
                    name, "model.lora_rank=\(rank)", "trainer.total_training_steps=2",
                    "data.train_batch_size=2", "data.val_files=\(folder)/val-sft.jsonl")
            }
            let rows = #"{"prompt": "say 9", "response": "it is 9"}"#
            try AtomicFile.write(rows + "\n", to: "\(folder)/val-sft.jsonl")
            try fineTune("host")
            try await onEmulatedDevice { _ in try fineTune("device") }
            try compare(runs, "host", "device")
        }
    }

    @Test(
        "a quantised base serves rollouts, reference and training",
        arguments: Quantization.allCases)
    func quantized(kind: Quantization) async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try await onEmulatedDevice { _ in
                try await runs.train(
                    "a",
                    Self.small + [
                        "actor_rollout_ref.model.quantization=\(kind.rawValue)",
                        "actor_rollout_ref.model.quantization_cache=null",
                    ])
            }
            let step = try #require(try runs.stepMetrics("a").first)
            #expect((step["actor/grad_norm"]?.double ?? 0) > 0)
            // Activations are bf16 there, and the products of few rows are others than those of many.
            #expect((step["training/rollout_log_probs_diff_max"]?.double ?? 1) <= 0.05)
        }
    }

    @Test("the same seed gives the same bits, and so does a run that stopped and goes on")
    func resuming() async throws {
        try await withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            func train(_ name: String, steps: Int) async throws {
                try await onEmulatedDevice { _ in
                    try await runs.train(
                        name, Self.small + Self.ppo + ["trainer.total_training_steps=\(steps)"])
                }
            }
            try await train("whole", steps: 2)
            try await train("again", steps: 2)
            try await train("parts", steps: 1)
            try await train("parts", steps: 2)
            for file in [
                "actor/lora_adapter/adapter_model.safetensors", "actor/optimizer.safetensors",
                "critic/lora_adapter/adapter_model.safetensors", "critic/optimizer.safetensors",
            ] {
                let bytes = try ["whole", "again", "parts"].map {
                    try runs.bytes("\($0)/global_step_2/\(file)")
                }
                #expect(bytes[0] == bytes[1], "\(file)")
                #expect(bytes[0] == bytes[2], "\(file)")
            }
        }
    }
}
