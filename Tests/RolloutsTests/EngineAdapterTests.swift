import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@Suite("Adapters in the engine")
struct EngineAdapterTests {
    @Test("A batch runs with its adapter", arguments: OracleFixtures.models)
    func oneAdapter(name: String) throws {
        let model = try TinyModel(name)
        let weights = model.adapter(seed: 1)
        let adapter = EngineAdapter(name: "a", version: 3, weights: weights)
        let requests = model.requests(SamplingSettings(maxTokens: 12, seed: 5))
        let completions = try model.engine().generate(requests, adapter: adapter)
        var differs = false
        for (prompt, completion) in zip(model.prompts, completions) {
            let expected = model.logProbabilities(
                prompt, completion.tokens, temperature: 1, adapter: weights)
            #expect(largestDifference(completion.logProbabilities, expected) <= 1e-5)
            #expect(completion.adapterVersion == 3)
            let base = model.logProbabilities(prompt, completion.tokens, temperature: 1)
            differs = differs || largestDifference(base, expected) > 0.01
        }
        #expect(differs)
    }

    @Test("Requests with different adapters share steps, each with its own")
    func mixedAdapters() throws {
        let model = try TinyModel()
        let adapters = [1, 2].map {
            EngineAdapter(name: "a\($0)", version: $0, weights: model.adapter(seed: UInt64($0)))
        }
        let sampling = SamplingSettings(maxTokens: 12, seed: 5)
        let names = [nil, "a1", "a2"]
        var expected: [[Completion]] = []
        for name in names {
            let adapter = adapters.first { $0.identity.name == name }
            expected.append(
                try model.engine().generate(model.requests(sampling), adapter: adapter))
        }
        #expect(expected[0].map(\.tokens) != expected[1].map(\.tokens))
        let engine = try model.engine()
        for adapter in adapters { try engine.register(adapter) }
        for (index, request) in model.requests(sampling).enumerated() {
            var request = request
            request.adapter = names[index % 3]
            try engine.submit(request)
        }
        while engine.requestCount > 0 {
            for completion in try engine.step() {
                let index = Int(completion.requestID) - 100
                #expect(completion == expected[index % 3][index])
            }
        }
        // All ten run in every step from the first on, and the model runs once a step.
        #expect(engine.counts.steps == 12)
        #expect(engine.forwardPasses == 12)
    }

    @Test("A new version of an adapter does not find the prefixes of the old one")
    func newVersion() throws {
        let model = try TinyModel()
        let request = model.requests(SamplingSettings(maxTokens: 4, seed: 5))[5]
        let engine = try model.engine()
        func generate(_ version: Int, seed: UInt64) throws -> (Completion, reused: Int) {
            let before = engine.counts.reusedTokens
            let adapter = EngineAdapter(
                name: "a", version: version, weights: model.adapter(seed: seed))
            let completion = try engine.generate([request], adapter: adapter)[0]
            return (completion, engine.counts.reusedTokens - before)
        }
        let first = try generate(1, seed: 1)
        #expect(first.reused == 0)
        #expect(try generate(1, seed: 1).reused == 32)
        let second = try generate(2, seed: 2)
        #expect(second.reused == 0)
        #expect(second.0.logProbabilities != first.0.logProbabilities)
    }

    @Test("A version cannot be replaced while its requests run")
    func replacement() throws {
        let model = try TinyModel()
        let engine = try model.engine()
        let weights = model.adapter(seed: 1)
        try engine.register(EngineAdapter(name: "a", version: 1, weights: weights))
        try engine.submit(model.requests(SamplingSettings(maxTokens: 4), adapter: "a")[0])
        try engine.register(EngineAdapter(name: "a", version: 1, weights: weights))
        try engine.register(EngineAdapter(name: "b", version: 1, weights: weights))
        let error = #expect(throws: RolloutError.self) {
            try engine.register(EngineAdapter(name: "a", version: 2, weights: weights))
        }
        #expect(error?.description.contains("'a'") == true)
        while engine.requestCount > 0 { _ = try engine.step() }
        try engine.register(EngineAdapter(name: "a", version: 2, weights: weights))
    }

    @Test("A batch refuses a request that names another adapter")
    func otherName() throws {
        let model = try TinyModel()
        let engine = try model.engine()
        let request = model.requests(SamplingSettings(maxTokens: 4), adapter: "a")[0]
        #expect(throws: RolloutError.self) { try engine.generate([request]) }
        #expect(engine.requestCount == 0)
    }
}
