import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

@Suite("References of the KL")
struct ReferenceModelTests {
    private let adapterPath = OracleFixtures.path("adapters/qwen2-tiny--all-linear-r8")
    private let packed = PackedSamples([
        PolicySample(prompt: [5, 9, 11], response: [7, 3, 2]),
        PolicySample(prompt: [4], response: [20, 21]),
    ])

    private func model(_ overrides: String...) throws -> TrainedModel {
        let settings = try TrainSettings.load(
            arguments: [
                "actor_rollout_ref.model.path=\(RunFolder.model)",
                "actor_rollout_ref.model.lora_rank=8", "data.train_files=x.jsonl",
                "algorithm.adv_estimator=grpo",
            ] + overrides, environment: [:])
        return try TrainedModel(
            directory: settings.model.path, lora: settings.model.lora, seed: 1)
    }

    private func scores(_ reference: ReferenceModel) -> [Float] {
        reference.score(packed, temperature: 1).logProbabilities
    }

    @Test("the base, the adapter that training began with, and any adapter's folder")
    func choices() throws {
        let fresh = try model()
        let continued = try model("actor_rollout_ref.model.lora_adapter_path=\(adapterPath)")
        func reference(
            _ choice: ReferenceChoice, _ model: TrainedModel, initial: String? = nil
        ) throws -> [Float] {
            try scores(ReferenceModel(choice, of: model, initialAdapter: initial))
        }
        let base = try reference(.base, fresh)
        let policy = continued.policy.score(packed, temperature: 1, keeping: .all, nil)
        #expect(policy.logProbabilities != base)
        #expect(try reference(.base, continued) == base)
        #expect(try reference(.initial, fresh) == base)
        let initial = try reference(.initial, continued, initial: adapterPath)
        #expect(initial == policy.logProbabilities)
        #expect(try reference(.adapter(adapterPath), fresh) == policy.logProbabilities)
        // It stays while the policy moves.
        continued.policy.parameters.values.fill(0.01)
        #expect(try reference(.initial, continued, initial: adapterPath) == initial)
    }

    @Test("a moving average follows the policy by its share, and is saved and restored")
    func average() throws {
        try withTemporaryFolder { folder in
            let model = try model("actor_rollout_ref.model.lora_adapter_path=\(adapterPath)")
            let reference = try ReferenceModel(
                .average(decay: 0.75), of: model, initialAdapter: adapterPath)
            let before = scores(reference)
            let start = model.policy.parameters.values.toArray()
            model.policy.parameters.values.fill(0.02)
            #expect(scores(reference) == before)
            reference.follow()
            try reference.save(to: "\(folder)/average")
            let saved = try LoRAAdapter(
                directory: "\(folder)/average", for: model.policy.base.config)
            let expected = start.map { 0.75 * $0 + 0.25 * 0.02 }
            #expect(largestDifference(saved.parameters.values.toArray(), expected) <= 1e-7)

            let other = try ReferenceModel(
                .average(decay: 0.75), of: model, initialAdapter: adapterPath)
            #expect(scores(other) != scores(reference))
            try other.restore(from: "\(folder)/average")
            #expect(scores(other) == scores(reference))
        }
    }

    @Test("an adapter that is missing or of another model is refused by name")
    func wrongFolder() throws {
        let model = try model()
        let strange = OracleFixtures.path("adapters/llama3-tiny--qv-r4")
        for path in ["/nowhere", strange] {
            let error = #expect(throws: (any Error).self) {
                try ReferenceModel(.adapter(path), of: model, initialAdapter: nil)
            }
            #expect("\(error as Any)".contains(path))
        }
    }
}
