import Formats
import Foundation
import OracleFixtures
import Settings
import Tensors
import Testing

@testable import Training

/// Actor and critic of a run with their optimizers, and the samples of its every step.
private struct CriticRun {
    let critic: TrainedCritic
    let step: CriticStep
    let optimizer: Optimizer
    let store: CheckpointStore
    let samples: [PolicySample]
    var state = TrainerState()

    /// - Parameter kept: checkpoints that keep their critic.
    init(_ folder: String, rank: Int, kept: Int? = nil, resume: ResumeSettings = .auto) throws {
        let model = OracleFixtures.path("models/qwen2-tiny")
        let lora = try CriticExample.settings("qwen2-tiny", []).lora
        let actor = try TrainedModel(directory: model, lora: lora, seed: 1)
        critic = try CriticExample.critic("qwen2-tiny", "critic.model.lora_rank=\(rank)")
        (step, optimizer) = try CriticExample.step(critic, shuffles: true)
        samples = try CriticExample.samples(critic)
        store = CheckpointStore(
            try RunDirectory(folder, key: "folder"), actor,
            Optimizer(actor.policy.parameters, AdamWSettings(), maximumNorm: 1),
            savesOptimizer: true, keptCount: nil,
            critic: CriticCheckpoint(critic, optimizer, savesOptimizer: true, keptCount: kept))
        state = try store.start(resume).state
    }

    mutating func train() throws {
        state.step += 1
        _ = try step.update(samples, step: state.step, learningRate: 0.01) { _ in }
        _ = try store.save(state)
    }
}

@Suite("A critic in a checkpoint")
struct CriticCheckpointTests {
    @Test("a run that was stopped goes on with the same bits", arguments: [4, 0])
    func resuming(rank: Int) throws {
        try withTemporaryFolder { folder in
            var straight = try CriticRun("\(folder)/a", rank: rank)
            for _ in 1...3 { try straight.train() }
            var stopped = try CriticRun("\(folder)/b", rank: rank)
            try stopped.train()
            var resumed = try CriticRun("\(folder)/b", rank: rank)
            #expect(resumed.state.step == 1)
            #expect(resumed.state.criticOptimizerStep == 4 && resumed.optimizer.step == 4)
            // The samples hold the values that the fresh critic gave, as those of the other run do.
            for _ in 2...3 { try resumed.train() }
            #expect(resumed.optimizer.step == 12)
            #expect(
                resumed.critic.parameters.values.hasSameBytes(
                    as: straight.critic.parameters.values))
            let name = "critic/\(straight.critic.folderName)/"
            let file = rank == 0 ? "model.safetensors" : "adapter_model.safetensors"
            let bytes = try ["a", "b"].map {
                try [UInt8](contentsOfFile: "\(folder)/\($0)/global_step_3/\(name)\(file)")
            }
            #expect(bytes[0] == bytes[1])
        }
    }

    @Test("only the newest checkpoints keep their critic, and the others say so")
    func keeping() throws {
        try withTemporaryFolder { folder in
            var run = try CriticRun(folder, rank: 4, kept: 2)
            for _ in 1...3 { try run.train() }
            let has = (1...3).map {
                FileManager.default.fileExists(atPath: "\(folder)/global_step_\($0)/critic")
            }
            #expect(has == [false, true, true])
            #expect(fileExists("\(folder)/global_step_1/actor/optimizer.safetensors"))
            let error = #expect(throws: TrainingError.self) {
                _ = try CriticRun(folder, rank: 4, resume: .from("\(folder)/global_step_1"))
            }
            #expect(error?.description.contains("max_critic_ckpt_to_keep") == true)
        }
    }

    @Test("a checkpoint of a run without a critic is refused, and the other way round")
    func otherRuns() throws {
        let lora = try CriticExample.settings("qwen2-tiny", []).lora
        func plainStore(_ folder: String) throws -> CheckpointStore {
            let model = try TrainedModel(
                directory: OracleFixtures.path("models/qwen2-tiny"), lora: lora, seed: 1)
            let optimizer = Optimizer(
                model.policy.parameters, AdamWSettings(), maximumNorm: 1)
            return CheckpointStore(
                try RunDirectory(folder, key: "folder"), model, optimizer, savesOptimizer: true,
                keptCount: nil)
        }
        try withTemporaryFolder { folder in
            _ = try plainStore("\(folder)/plain").save(TrainerState())
            var error = #expect(throws: TrainingError.self) {
                _ = try CriticRun("\(folder)/plain", rank: 4)
            }
            #expect(error?.description.contains("of a run without a critic") == true)
            var run = try CriticRun("\(folder)/critic", rank: 4)
            try run.train()
            error = #expect(throws: TrainingError.self) {
                _ = try plainStore("\(folder)/critic").start(.auto)
            }
            #expect(error?.description.contains("of a run with a critic") == true)
        }
    }
}
