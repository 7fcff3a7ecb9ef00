import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@testable import Training

@Suite("Memory of a device")
struct DeviceMemoryTests {
    private static let model = OracleFixtures.path("models/qwen2-tiny")

    private func memory(_ arguments: String...) throws -> (
        actor: ActivationMemory, critic: ActivationMemory
    ) {
        let settings = try TrainSettings.load(
            arguments: [
                "actor_rollout_ref.model.path=/m", "data.train_files=a.jsonl",
                "algorithm.adv_estimator=gae",
            ] + arguments, environment: [:])
        let critic = try #require(settings.critic)
        return (settings.model.activationMemory, critic.activationMemory)
    }

    @Test("activations have what the settings give, else half of what a device has left")
    func activations() async throws {
        let key = "model.activation_memory_gb"
        #expect(try memory() == (.standard, .standard))
        #expect(try memory("actor_rollout_ref.\(key)=2") == (.bytes(2 << 30), .bytes(2 << 30)))
        #expect(try memory("critic.\(key)=2") == (.standard, .bytes(2 << 30)))
        #expect(
            try memory("actor_rollout_ref.model.enable_gradient_checkpointing=false")
                == (.unlimited, .unlimited))
        #expect(ActivationMemory.standard.kept(on: .cpu) == .within(bytes: 1 << 29))
        try await onEmulatedDevice(memory: 1 << 30) { device in
            let half = ((1 << 30) - device.pool.ledger.bytesInUse) / 2
            let weights = Tensor(zeros: [1 << 20])
            #expect(
                ActivationMemory.standard.kept(on: .cuda(device))
                    == .within(bytes: half - weights.count * 2))
            #expect(ActivationMemory.bytes(7).kept(on: .cuda(device)) == .within(bytes: 7))
            #expect(ActivationMemory.unlimited.kept(on: .cuda(device)) == .all)
        }
    }

    @Test("the KV cache has what a share of the device's memory leaves beside the weights")
    func cache() async throws {
        try await onEmulatedDevice(memory: 64 << 20) { device in
            let decoder = try Decoder(directory: Self.model)
            var settings = EngineSettings()
            settings.blockSize = 4
            func engine(share: Double) throws -> RolloutEngine {
                settings.cacheLimit = .memoryShare(share)
                return try RolloutEngine(model: decoder, settings: settings)
            }
            // Half of it are cuBLASLt's workspace alone.
            let error = #expect(throws: RolloutError.self) { try engine(share: 0.5) }
            #expect(error?.description.contains("gpu_memory_utilization") == true)
            #expect(error?.description.contains("weights") == true)
            _ = try engine(share: 0.9)
            #expect(device.unusedMemory == (64 << 20) - device.pool.ledger.bytesInUse)
        }
    }

    @Test("what a run holds is told by what it is for")
    func purposes() async throws {
        let settings = try TrainSettings.load(
            arguments: [
                "actor_rollout_ref.model.path=\(Self.model)", "data.train_files=a.jsonl",
                "actor_rollout_ref.model.lora_rank=4",
            ], environment: [:])
        try await onEmulatedDevice { device in
            let model = try TrainedModel(
                directory: Self.model, lora: settings.model.lora, seed: 1)
            let optimizer = Optimizer(
                model.policy.parameters, AdamWSettings(), maximumNorm: 1)
            let bytes = device.pool.ledger.bytesByPurpose
            let trained = 4 * model.policy.parameters.count
            #expect((bytes[.weights] ?? 0) >= model.policy.base.weightBytes)
            #expect((bytes[.adapter] ?? 0) >= trained)
            #expect((bytes[.optimizer] ?? 0) >= 2 * trained)
            #expect(bytes[.activations, default: 0] == 0)
            let memory = ChosenDevice(.current).memoryInUse
            #expect(memory?.hasSuffix(" of 4.0 GiB") == true && optimizer.step == 0)
            #expect(ChosenDevice(.cpu).memoryInUse == nil)
        }
    }

    @Test("a device says what it is, and why there is none")
    func choice() async throws {
        let elsewhere = ["LORIKEET_CUDA_LIBRARIES": "/no/such/folder"]
        #expect(throws: CUDAError.self) { try DeviceChoice.cuda.open(environment: elsewhere) }
        let host = try DeviceChoice.auto.open(environment: elsewhere)
        #expect(host.device == .cpu)
        #expect(host.description.contains("; no GPU: LORIKEET_CUDA_LIBRARIES names"))
        #expect(!host.description.hasSuffix("."))
        let asked = try DeviceChoice.cpu.open(environment: elsewhere)
        #expect(asked.device == .cpu && asked.gpuError == nil)
        try await onEmulatedDevice { device in
            try device.check()
            let chosen = ChosenDevice(.current)
            #expect(chosen.description == "cuda: \(device.properties.name), 4.0 GiB")
            let decoder = try Decoder(directory: Self.model)
            #expect(decoder.computing(on: chosen).hasSuffix(", computing in f32"))
        }
    }

    @Test("sizes are told in the larger unit that has a whole one")
    func sizes() {
        #expect((3 << 29).asMemorySize == "1.5 GiB")
        #expect((1 << 29).asMemorySize == "512.0 MiB")
        #expect(0.asMemorySize == "0.0 MiB")
    }
}
