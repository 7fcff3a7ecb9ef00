import Formats
import Foundation
import Models
import OracleFixtures
import Settings
import Testing

@testable import Training

@Suite("Advice at the start of a run")
struct AdviceTests {
    private static let model = OracleFixtures.path("models/qwen2-tiny")
    private static let small = 500_000_000

    private func lora(_ arguments: String...) throws -> LoRASettings {
        try TrainSettings.load(
            arguments: ["actor_rollout_ref.model.path=/m", "data.train_files=a.jsonl"]
                + arguments.map { "actor_rollout_ref.model.\($0)" }, environment: [:]
        ).model.lora
    }

    @Test("LoRA wants about ten times the learning rate of full training; toys bear more")
    func learningRate() {
        func says(_ rate: Double, lora: Bool, _ count: Int) -> Bool {
            learningRateAdvice(rate, usesLoRA: lora, parameterCount: count, key: "lr") != nil
        }
        #expect(says(3e-6, lora: true, Self.small))
        #expect(!says(3e-5, lora: true, Self.small))
        #expect(says(5e-3, lora: true, Self.small))
        #expect(!says(5e-3, lora: true, 100_000))
        #expect(!says(1e-6, lora: false, Self.small))
        #expect(says(3e-4, lora: false, Self.small))
        #expect(!says(3e-4, lora: false, 100_000))
    }

    @Test("a rank is worth a word where it is tiny, wider than the layer, or oddly scaled")
    func rank() throws {
        func says(_ lora: LoRASettings, _ count: Int = Self.small) -> String? {
            rankAdvice(lora, parameterCount: count, hiddenSize: 896)
        }
        #expect(says(try lora("lora_rank=32", "lora_alpha=32")) == nil)
        #expect(says(try lora("lora_rank=64", "lora_alpha=32")) == nil)
        #expect(says(try lora("lora_rank=1", "lora_alpha=2"))?.contains("as little as 1") == true)
        #expect(says(try lora("lora_rank=1", "lora_alpha=2"), 100_000) == nil)
        #expect(says(try lora("lora_rank=512", "lora_alpha=512"))?.contains("width 896") == true)
        #expect(says(try lora("lora_rank=256"))?.contains("scales the adapter by 0.06") == true)
        #expect(says(try lora("lora_rank=256", "use_rslora=true")) == nil)
        #expect(says(try lora()) == nil)
    }

    @Test("few responses a step are noise")
    func batch() {
        #expect(batchAdvice(prompts: 1, responses: 16)?.contains("one prompt x 16") == true)
        #expect(batchAdvice(prompts: 2, responses: 2) != nil)
        #expect(batchAdvice(prompts: 16, responses: 1) == nil)
    }

    @Test("lengths are held against the data")
    func lengths() {
        #expect(
            responseLengthAdvice(longAnswers: 3, of: 100, limit: 8)?.contains("3 of 100") == true)
        #expect(responseLengthAdvice(longAnswers: 2, of: 100, limit: 8) == nil)
        #expect(promptLengthAdvice(overlong: 20, of: 100, limit: 8)?.contains("20 of 100") == true)
        #expect(promptLengthAdvice(overlong: 10, of: 100, limit: 8) == nil)
    }

    private func need(tokens: Int, cached: Int, kept: KeptActivations = .within(bytes: 0)) throws
        -> MemoryNeed
    {
        let file = "\(Self.model)/config.json"
        return MemoryNeed(
            try DecoderConfig(JSON(contentsOfFile: file), name: file), weightBytes: 1000,
            trainedCount: 10, tokensAtOnce: tokens, keeping: kept, cachedTokens: cached)
    }

    @Test(
        "memory is what is mapped, trained, kept and cached, and the largest part is to be lowered")
    func memory() throws {
        let need = try need(tokens: 100, cached: 1)
        #expect(need.weights == 1000 && need.trained == 160)
        #expect(need.peak == 1160 + need.activations)
        #expect(
            try self.need(tokens: 100, cached: 1, kept: .all).activations > need.activations)
        #expect(try self.need(tokens: 200, cached: 1).activations == 2 * need.activations)
        // Two keys and values of 32 numbers in each of three layers: the shape of the tiny model.
        #expect(need.cache == 4 * 3 * 2 * 32)
        #expect(memoryAdvice(need, machineMemory: need.peak * 10 / 7 + 10) == nil)
        let line = memoryAdvice(need, machineMemory: need.peak)
        #expect(line?.contains("ppo_max_token_len_per_gpu") == true)
        #expect(line?.contains("the GPU") == false)
        let ofGPU = memoryAdvice(need, machineMemory: need.peak, isGPU: true)
        #expect(ofGPU?.contains("of the GPU's memory may be needed") == true)
        let cached = try self.need(tokens: 1, cached: 1000)
        #expect(memoryAdvice(cached, machineMemory: 1000)?.contains("max_num_seqs") == true)
    }

    @Test("the shipped example deserves none, and a run with all mistakes a few lines")
    func together() throws {
        let example = [
            URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "../../examples/arithmetic.yaml").path
        ]
        let settings = try TrainSettings.load(arguments: example, environment: [:])
        var facts = RunFacts(
            parameterCount: 100_000, hiddenSize: 64, promptCount: 3000, overlongCount: 0,
            longAnswerCount: 0, memory: try need(tokens: 10, cached: 10),
            machineMemory: 1 << 34)
        #expect(advice(settings, facts) == [])
        facts.parameterCount = Self.small
        facts.overlongCount = 2000
        facts.longAnswerCount = 2000
        facts.machineMemory = 1
        let wrong = try TrainSettings.load(
            arguments: example + [
                "actor_rollout_ref.actor.optim.lr=1e-6", "data.train_batch_size=1",
                "actor_rollout_ref.model.lora_rank=48",
            ], environment: [:])
        #expect(advice(wrong, facts).count == 6)
    }
}
