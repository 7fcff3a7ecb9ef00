import Models
import Rollouts
import Tensors
import Testing

@Suite("The life of an engine")
struct EngineLifeTests {
    private struct Interruption: Error {}

    private let model: TinyModel
    private let requests: [RolloutRequest]
    private let expected: [Completion]

    init() throws {
        model = try TinyModel()
        requests = model.requests(SamplingSettings(maxTokens: 24, stopIDs: Set(0..<20), seed: 5))
        expected = try model.engine().generate(requests)
    }

    @Test("Requests join and leave while others run, and the cache grows under them")
    func continuousBatching() throws {
        let engine = try model.engine()
        var completions: [Completion] = []
        var sizes: Set<Int> = []
        for request in requests {
            try engine.submit(request)
            for _ in 0..<3 { completions += try engine.step() }
            sizes.insert(engine.cacheBlockCount)
        }
        while engine.requestCount > 0 { completions += try engine.step() }
        #expect(sizes.count > 1)
        #expect(completions.sorted { $0.requestID < $1.requestID } == expected)
    }

    @Test("A cancelled request leaves the others as they were")
    func cancellation() throws {
        let engine = try model.engine()
        for request in requests { try engine.submit(request) }
        var completions = try engine.step()
        #expect(engine.cancel(requests[3].id))
        #expect(!engine.cancel(requests[3].id))
        while engine.requestCount > 0 { completions += try engine.step() }
        let others = expected.filter { $0.requestID != requests[3].id }
        #expect(completions.sorted { $0.requestID < $1.requestID } == others)
    }

    @Test("The cache takes what the requests can use, and is given back")
    func cacheSize() throws {
        let engine = try model.engine()
        #expect(engine.cacheBlockCount == 0)
        let needs = requests.map { ($0.prompt.count + 24 - 1 + 15) / 16 }
        _ = try engine.generate(requests)
        #expect(engine.cacheBlockCount == needs.reduce(0, +))
        engine.releaseCache()
        #expect(engine.cacheBlockCount == 0)
        #expect(try engine.generate(requests) == expected)
        let two = try model.engine { $0.maxSequences = 2 }
        _ = try two.generate(requests)
        #expect(two.cacheBlockCount == needs.sorted().suffix(2).reduce(0, +))
    }

    @Test("A cache that is released under running requests changes nothing")
    func releaseWhileRunning() throws {
        let engine = try model.engine()
        for request in requests { try engine.submit(request) }
        var completions: [Completion] = []
        while engine.requestCount > 0 {
            completions += try engine.step()
            if engine.counts.steps % 7 == 0 { engine.releaseCache() }
        }
        #expect(completions.sorted { $0.requestID < $1.requestID } == expected)
    }

    @Test("A later batch finds the prefixes of an earlier one")
    func prefixesAcrossBatches() throws {
        let engine = try model.engine()
        _ = try engine.generate(requests)
        let before = engine.counts
        #expect(try engine.generate(requests) == expected)
        #expect(engine.counts.reusedTokens - before.reusedTokens >= 16 + 32 + 2 * 32 + 16 + 32)
        engine.releaseCache()
        let released = engine.counts.reusedTokens
        _ = try engine.generate([requests[5]])
        #expect(engine.counts.reusedTokens == released)
    }

    @Test("Completions arrive as they end, and are returned in the order of the requests")
    func streaming() throws {
        var arrived: [UInt64] = []
        let engine = try model.engine()
        let completions = try engine.generate(requests) { completion in
            arrived.append(completion.requestID)
            if arrived.count == 1 { #expect(engine.requestCount > 0) }
        }
        #expect(completions == expected)
        #expect(arrived != arrived.sorted())
        #expect(arrived.sorted() == requests.map(\.id))
        #expect(try engine.generate([]) == [])
    }

    @Test("An error of the receiver ends the batch and leaves the engine usable")
    func interruption() throws {
        let engine = try model.engine()
        #expect(throws: Interruption.self) {
            try engine.generate(requests) { _ in throw Interruption() }
        }
        #expect(engine.requestCount == 0)
        #expect(try engine.generate(requests) == expected)
    }
}
