import Adapters
import Formats
import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@Suite("Rollout engine")
struct RolloutEngineTests {
    @Test(
        "gives the greedy continuations of whole forward passes", arguments: OracleFixtures.models)
    func greedy(name: String) throws {
        let model = try TinyModel(name)
        let sampling = SamplingSettings(temperature: 0, maxTokens: 20)
        let completions = try model.engine().generate(model.requests(sampling))
        for (prompt, completion) in zip(model.prompts, completions) {
            #expect(completion.tokens == model.greedy(prompt, count: 20))
            #expect(completion.finishReason == .length)
            #expect(completion.adapterVersion == nil)
        }
    }

    @Test(
        "gives the continuations of transformers and peft",
        arguments: OracleFixtures.models, OracleFixtures.adapters)
    func reference(name: String, adapterName: String) throws {
        let model = try TinyModel(name)
        let folder = OracleFixtures.path("adapters/\(name)--\(adapterName)")
        let trained = try LoRAAdapter(directory: folder, for: model.decoder.config)
        let adapter = EngineAdapter(
            name: adapterName, version: 1, weights: trained.weights(training: false))
        let path = OracleFixtures.path("generate-\(name)--\(adapterName).json")
        let rows = try #require(try JSON(contentsOfFile: path).array)
        func tokens(_ row: JSON, _ key: String) -> [Int32] {
            (row[key]?.array ?? []).compactMap { $0.int.map { Int32($0) } }
        }
        let sampling = SamplingSettings(temperature: 0, maxTokens: 12)
        let requests = rows.enumerated().map { index, row in
            RolloutRequest(id: UInt64(index), prompt: tokens(row, "prompt"), sampling: sampling)
        }
        let completions = try model.engine().generate(requests, adapter: adapter)
        #expect(completions.count == 3)
        #expect(completions.map(\.tokens) == rows.map { tokens($0, "greedy") })
    }

    @Test(
        "gives the log-probabilities that training computes",
        arguments: OracleFixtures.models, [0.7, 1, 1.5] as [Float])
    func logProbabilities(name: String, temperature: Float) throws {
        let model = try TinyModel(name)
        let sampling = SamplingSettings(temperature: temperature, maxTokens: 20, seed: 3)
        let completions = try model.engine().generate(model.requests(sampling))
        for (prompt, completion) in zip(model.prompts, completions) {
            let expected = model.logProbabilities(
                prompt, completion.tokens, temperature: temperature)
            #expect(largestDifference(completion.logProbabilities, expected) <= 1e-5)
        }
    }

    @Test("gives greedy tokens their log-probabilities at temperature 1")
    func greedyLogProbabilities() throws {
        let model = try TinyModel()
        let sampling = SamplingSettings(temperature: 0, maxTokens: 8)
        let completions = try model.engine().generate(model.requests(sampling))
        for (prompt, completion) in zip(model.prompts, completions) {
            let expected = model.logProbabilities(prompt, completion.tokens, temperature: 1)
            #expect(largestDifference(completion.logProbabilities, expected) <= 1e-5)
        }
    }

    @Test("gives each request what it gets alone", arguments: OracleFixtures.models)
    func batching(name: String) throws {
        let model = try TinyModel(name)
        let requests = model.requests(SamplingSettings(maxTokens: 24, seed: 5))
        let together = try model.engine().generate(requests)
        let alone = try requests.flatMap { try model.engine().generate([$0]) }
        #expect(together == alone)
        var random = SplitMix64(seed: 1)
        let order = requests.indices.shuffled(using: &random)
        let shuffled = try model.engine().generate(order.map { requests[$0] })
        #expect(shuffled == order.map { together[$0] })
    }

    @Test(
        "gives the same with prompts split over steps", arguments: [1, 3, 5, 16, 40])
    func chunkedPrefill(maxBatchedTokens: Int) throws {
        let model = try TinyModel()
        let requests = model.requests(SamplingSettings(maxTokens: 24, seed: 5))
        let engine = try model.engine { $0.maxBatchedTokens = maxBatchedTokens }
        #expect(try engine.generate(requests) == model.engine().generate(requests))
    }

    @Test("gives the same where prompts are never split")
    func wholePrompts() throws {
        let model = try TinyModel()
        let requests = model.requests(SamplingSettings(maxTokens: 24, seed: 5))
        let engine = try model.engine {
            $0.maxModelLength = 72
            $0.maxBatchedTokens = 72
            $0.chunksPrompts = false
        }
        #expect(try engine.generate(requests) == model.engine().generate(requests))
    }

    @Test("gives the same when blocks run out and requests are put back")
    func preemption() throws {
        let model = try TinyModel()
        let requests = model.requests(SamplingSettings(maxTokens: 60, seed: 5))
        let engine = try model.engine {
            $0.blockSize = 8
            let bytes = KVCache.bytesPerBlock(model.decoder.config, blockSize: 8)
            $0.cacheLimit = .bytes(20 * bytes)
        }
        #expect(try engine.generate(requests) == model.engine().generate(requests))
        #expect(engine.counts.preemptions > 0)
        #expect(engine.cacheBlockCount == 20)
    }

    @Test("gives the same with and without reuse of prefixes, in blocks of any size")
    func blockSizes() throws {
        let model = try TinyModel()
        let requests = model.requests(SamplingSettings(maxTokens: 24, seed: 5))
        let plain = try model.engine { $0.reusesPrefixes = false }
        let expected = try plain.generate(requests)
        #expect(plain.counts.reusedTokens == 0)
        for blockSize in [1, 4, 16, 64] {
            let engine = try model.engine { $0.blockSize = blockSize }
            #expect(try engine.generate(requests) == expected)
            if blockSize < 32 { #expect(engine.counts.reusedTokens > 64) }
        }
    }

    @Test("draws differently for another seed and another id")
    func randomness() throws {
        let model = try TinyModel()
        var request = model.requests(SamplingSettings(maxTokens: 24, seed: 1))[4]
        let engine = try model.engine()
        let first = try engine.generate([request])[0].tokens
        #expect(try engine.generate([request])[0].tokens == first)
        request.sampling.seed = 2
        #expect(try engine.generate([request])[0].tokens != first)
        request.sampling.seed = 1
        request.id += 1
        #expect(try engine.generate([request])[0].tokens != first)
    }

    @Test("keeps one token at top-k 1, with probability 1")
    func topK() throws {
        let model = try TinyModel()
        let sampling = SamplingSettings(temperature: 1, topK: 1, maxTokens: 8, seed: 4)
        let completions = try model.engine().generate(model.requests(sampling))
        for (prompt, completion) in zip(model.prompts, completions) {
            #expect(completion.tokens == model.greedy(prompt, count: 8))
            #expect(completion.logProbabilities.allSatisfy { abs($0) < 1e-6 })
        }
    }

    @Test("computes a group's prompt once")
    func siblings() throws {
        let model = try TinyModel()
        let prompt = (0..<51).map { Int32($0 + 5) }
        let sampling = SamplingSettings(maxTokens: 10, seed: 2)
        let requests = (0..<16).map { RolloutRequest(id: $0, prompt: prompt, sampling: sampling) }
        let engine = try model.engine()
        let completions = try engine.generate(requests)
        #expect(engine.counts.computedTokens == 48 + 16 * 3 + 16 * 9)
        #expect(engine.counts.steps == 10)
        #expect(Set(completions.map(\.tokens)).count > 8)
        let alone = try model.engine().generate([requests[9]])
        #expect(completions[9] == alone[0])
    }
}
