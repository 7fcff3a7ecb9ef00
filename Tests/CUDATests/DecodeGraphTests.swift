import EmulatedGPU
import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@Suite("Decode steps as graphs")
struct DecodeGraphTests {
    private static let model = "qwen3-tiny"

    /// Requests of all kinds of sampling, that end at different times.
    private static let requests: [RolloutRequest] = {
        let prompts: [[Int32]] = [
            [5, 17, 4, 99, 23], [5, 17, 4, 99, 61, 3], [44], [3, 9, 12, 301, 8, 7, 7, 31, 90],
            [7, 7, 2], [5, 17, 4, 99, 23, 8],
        ]
        var samplings = [SamplingSettings](
            repeating: SamplingSettings(maxTokens: 9, seed: 4), count: prompts.count)
        samplings[0].temperature = 0
        samplings[1].topK = 5
        samplings[1].maxTokens = 4
        samplings[2].temperature = 0.8
        samplings[2].topP = 0.7
        samplings[3].stopIDs = Set(0..<200)
        samplings[3].minTokens = 4
        samplings[4].stopIDs = Set(0..<100)
        samplings[5].maxTokens = 6
        return zip(prompts, samplings).enumerated().map { index, request in
            RolloutRequest(
                id: UInt64(index), prompt: request.0, sampling: request.1, adapter: "own")
        }
    }()

    private func engine(
        _ model: DeviceModel, version: Int = 1, cacheBytes: Int = 1 << 22
    ) throws -> RolloutEngine {
        var settings = EngineSettings()
        settings.blockSize = 4
        settings.maxModelLength = 40
        settings.maxSequences = 6
        settings.cacheLimit = .bytes(cacheBytes)
        let engine = try RolloutEngine(model: model.decoder, settings: settings)
        try engine.register(EngineAdapter(name: "own", version: version, weights: model.adapter))
        return engine
    }

    /// Serves the requests, of which the last ones come when the first are under way.
    ///
    /// - Parameter isMixed: whether a request of the base is there all the time, so that no step is
    ///   of one adapter.
    private func completions(
        _ engine: RolloutEngine, isMixed: Bool = false
    ) throws -> [Completion] {
        if isMixed {
            let sampling = SamplingSettings(maxTokens: 36)
            try engine.submit(RolloutRequest(id: 100, prompt: [1, 2, 3], sampling: sampling))
        }
        var completions: [Completion] = []
        for (index, request) in Self.requests.enumerated() {
            if index == 4 { for _ in 0..<3 { completions += try engine.step() } }
            try engine.submit(request)
        }
        while completions.count < Self.requests.count { completions += try engine.step() }
        engine.cancelAll()
        return completions.sorted { $0.requestID < $1.requestID }
    }

    /// Other kernels, and other sizes of a product, may add in another order.
    private func expectAlike(_ found: [Completion], _ expected: [Completion]) {
        #expect(found.map(\.requestID) == expected.map(\.requestID))
        #expect(found.map(\.tokens) == expected.map(\.tokens))
        #expect(found.map(\.finishReason) == expected.map(\.finishReason))
        #expect(
            largestDifference(
                found.flatMap(\.logProbabilities), expected.flatMap(\.logProbabilities)) <= 1e-5)
    }

    @Test("give each request what steps without graphs give it, as batches grow and shrink")
    func equality() throws {
        try withEmulatedDevice { gpu, device in
            let model = try DeviceModel(Self.model, on: device)
            let plain = try completions(engine(model), isMixed: true)
            #expect(gpu.graphLaunchCount == 0)
            let found = try completions(engine(model))
            #expect(gpu.graphLaunchCount >= 4)
            expectAlike(found, plain)
            #expect(Set(found.map(\.finishReason)).count == 2)
            let host = try completions(engine(DeviceModel(Self.model, on: .cpu)))
            #expect(found.map(\.tokens) == host.map(\.tokens))
        }
    }

    @Test("and so where requests lose their blocks to older ones")
    func preemption() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let model = try DeviceModel(Self.model, on: device)
            let requests = (0..<4).map { id in
                RolloutRequest(
                    id: UInt64(id), prompt: [5, 9, Int32(id)],
                    sampling: SamplingSettings(maxTokens: 12), adapter: "own")
            }
            let expected = try engine(model).generate(requests)
            let block = KVCache.bytesPerBlock(model.decoder.config, blockSize: 4)
            let small = try engine(model, cacheBytes: 8 * block)
            gpu.resetCounts()
            expectAlike(try small.generate(requests), expected)
            #expect(small.counts.preemptions > 0)
            #expect(gpu.graphLaunchCount > 0)
        }
    }

    @Test("are one upload, one launch and one download each")
    func traffic() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let model = try DeviceModel(Self.model, on: device)
            let engine = try engine(model)
            for id in 0..<3 {
                try engine.submit(
                    RolloutRequest(
                        id: UInt64(id), prompt: [5, 9, Int32(id)],
                        sampling: SamplingSettings(maxTokens: 12, minTokens: 12, stopIDs: [3]),
                        adapter: "own"))
            }
            // The first reads the prompts, and the next two load kernels and capture.
            for _ in 0..<3 { _ = try engine.step() }
            for _ in 0..<6 {
                gpu.resetCounts()
                #expect(try engine.step().isEmpty)
                #expect(gpu.uploadCount == 1)
                #expect(gpu.graphLaunchCount == 1)
                #expect(gpu.downloadCount == 1)
                #expect(gpu.downloadedByteCount == 4 * 2 * 4)
                #expect(gpu.allocationCount == 0)
                #expect(gpu.launches.allSatisfy { $0.isOfGraph })
            }
            engine.cancelAll()
        }
    }

    @Test("serve a published adapter without being captured anew")
    func publishing() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let model = try DeviceModel(Self.model, on: device, as: .bfloat16)
            let engine = try engine(model)
            let first = try completions(engine)
            model.parameters.values.scale(by: 2)
            try engine.register(EngineAdapter(name: "own", version: 2, weights: model.adapter))
            gpu.resetCounts()
            let second = try completions(engine)
            let steps = gpu.launches.filter { $0.kernel == "sample" }
            #expect(steps.filter(\.isOfGraph).count >= 6)
            #expect(second.map(\.tokens) != first.map(\.tokens))
            #expect(try completions(self.engine(model, version: 2)) == second)
            // Another adapter of the same name lies elsewhere.
            let other = try DeviceModel(Self.model, on: device, as: .bfloat16)
            try engine.register(EngineAdapter(name: "own", version: 1, weights: other.adapter))
            #expect(try completions(engine) == first)
        }
    }

    @Test("leave all memory of the cache to others when it is released")
    func release() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            guard case .cuda(let cuda) = device else { return }
            let model = try DeviceModel(Self.model, on: device)
            let engine = try engine(model)
            let first = try completions(engine)
            engine.releaseCache()
            let (ledger, bytes) = (cuda.pool.ledger, gpu.byteCount)
            #expect(ledger.bytesByPurpose[.keyValueCache] == 0)
            #expect(try completions(engine) == first)
            #expect(cuda.pool.ledger.bytesByPurpose[.keyValueCache] ?? 0 > 0)
            gpu.resetCounts()
            engine.releaseCache()
            #expect(gpu.uploadCount + gpu.downloadCount + gpu.launches.count == 0)
            #expect(cuda.pool.ledger.bytesByPurpose == ledger.bytesByPurpose)
            #expect(cuda.pool.ledger.bytesKept == 0)
            #expect(gpu.byteCount == bytes)
        }
    }

    @Test("can be under way when requests are dropped or the cache is released")
    func interruption() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let model = try DeviceModel(Self.model, on: device)
            let expected = try completions(engine(model)).filter { $0.requestID != 2 }
            let engine = try engine(model)
            for request in Self.requests { try engine.submit(request) }
            var completions: [Completion] = []
            for _ in 0..<3 { completions += try engine.step() }
            let count = engine.requestCount
            #expect(engine.cancel(2))
            #expect(!engine.cancel(2))
            #expect(engine.requestCount == count - 1)
            completions += try engine.step()
            engine.releaseCache()
            while engine.requestCount > 0 { completions += try engine.step() }
            expectAlike(completions.sorted { $0.requestID < $1.requestID }, expected)
        }
    }

    @Test("tell of logits that are no numbers, and the engine goes on afterwards")
    func notNumbers() throws {
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let model = try DeviceModel(Self.model, on: device)
            let engine = try engine(model)
            let expected = try completions(engine)
            for request in Self.requests { try engine.submit(request) }
            for _ in 0..<3 { _ = try engine.step() }
            let values = model.parameters.values.toArray()
            model.parameters.values.fill(.nan)
            #expect(throws: RolloutError.self) {
                while engine.requestCount > 0 { _ = try engine.step() }
            }
            #expect(engine.requestCount == 0)
            model.parameters.values.copy(from: values)
            #expect(try completions(engine) == expected)
        }
    }
}
