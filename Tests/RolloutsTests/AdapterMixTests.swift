import Models
import Rollouts
import Tensors
import Testing

@Suite("Random mixes of adapters")
struct AdapterMixTests {
    /// Adapters of different ranks on different projections.
    private static func adapters(_ model: TinyModel) -> [EngineAdapter] {
        [
            EngineAdapter(name: "all", version: 1, weights: model.adapter(seed: 1, rank: 4)),
            EngineAdapter(
                name: "attention", version: 5,
                weights: model.adapter(seed: 2, rank: 1, on: [.query, .value])),
            EngineAdapter(
                name: "feedForward", version: 2,
                weights: model.adapter(seed: 3, rank: 9, on: [.output, .gate, .down])),
        ]
    }

    @Test("Requests that join and leave get what they get alone", arguments: 0..<6)
    func joiningAndLeaving(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let model = try TinyModel()
        let adapters = Self.adapters(model)
        let engine = try model.engine {
            $0.blockSize = Int.random(in: 2...16, using: &random)
            $0.maxSequences = Int.random(in: 2...12, using: &random)
            $0.maxBatchedTokens = Int.random(in: 5...120, using: &random)
            // Sometimes so few that requests are put back and come again.
            let bytes = KVCache.bytesPerBlock(model.decoder.config, blockSize: $0.blockSize)
            let tokens = Int.random(in: 80...400, using: &random)
            $0.cacheLimit = .bytes((tokens / $0.blockSize + 1) * bytes)
        }
        for adapter in adapters { try engine.register(adapter) }
        var requests = randomRequests(adapters.map(\.identity.name), model, &random)
        let all = requests
        var completions: [UInt64: Completion] = [:]
        while !requests.isEmpty || engine.requestCount > 0 {
            while let request = requests.last, Int.random(in: 0..<3, using: &random) > 0 {
                try engine.submit(request)
                requests.removeLast()
            }
            for completion in try engine.step() { completions[completion.requestID] = completion }
        }
        #expect(engine.forwardPasses == engine.counts.steps)
        for request in all {
            let adapter = adapters.first { $0.identity.name == request.adapter }
            let alone = try model.engine().generate([request], adapter: adapter)
            #expect(completions[request.id] == alone[0], "\(request.adapter ?? "the base")")
        }
    }

    private func randomRequests(
        _ names: [String], _ model: TinyModel, _ random: inout SplitMix64
    ) -> [RolloutRequest] {
        (0..<16).map { id in
            RolloutRequest(
                id: UInt64(id),
                prompt: model.prompts[Int.random(in: 0..<model.prompts.count, using: &random)],
                sampling: SamplingSettings(
                    maxTokens: Int.random(in: 1...12, using: &random), seed: 3),
                adapter: (names + [nil])[Int.random(in: 0...names.count, using: &random)])
        }
    }

    @Test("A prefix is found by the requests of its adapter only")
    func prefixes() throws {
        let model = try TinyModel()
        let engine = try model.engine()
        let adapters = Self.adapters(model)
        for adapter in adapters { try engine.register(adapter) }
        let names = adapters.map(\.identity.name) + [nil]
        // Two requests for each adapter and the base, one after the other, all of one prompt.
        for (index, name) in (names + names).enumerated() {
            try engine.submit(
                RolloutRequest(
                    id: UInt64(index), prompt: model.prompts[6],
                    sampling: SamplingSettings(maxTokens: 3), adapter: name))
        }
        while engine.requestCount > 0 { _ = try engine.step() }
        #expect(model.prompts[6].count == 40)
        #expect(engine.counts.reusedTokens == names.count * 32)
        #expect(engine.forwardPasses == 3)
    }
}
