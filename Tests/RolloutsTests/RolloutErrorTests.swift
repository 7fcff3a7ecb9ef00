import Models
import Rollouts
import Tensors
import Testing

@Suite("Requests that cannot be served")
struct RolloutErrorTests {
    private static let plain = RolloutRequest(
        id: 42, prompt: [5, 6, 7], sampling: SamplingSettings(maxTokens: 4))

    /// Each change makes the plain request impossible; the text is part of the error.
    private static let faults: [(String, @Sendable (inout RolloutRequest) -> Void)] = [
        ("the prompt is empty", { $0.prompt = [] }),
        ("the prompt has 512 tokens", { $0.prompt = Array(repeating: 5, count: 512) }),
        ("token 512 at position 1 is outside the vocabulary of 512", { $0.prompt[1] = 512 }),
        ("token -1 at position 2 is outside", { $0.prompt[2] = -1 }),
        ("maxTokens is 0", { $0.sampling.maxTokens = 0 }),
        ("minTokens is 5, not between 0 and maxTokens 4", { $0.sampling.minTokens = 5 }),
        ("minTokens is -1", { $0.sampling.minTokens = -1 }),
        ("the temperature is -1.0", { $0.sampling.temperature = -1 }),
        ("the temperature is nan", { $0.sampling.temperature = .nan }),
        ("topP is 0.0, not in (0, 1]", { $0.sampling.topP = 0 }),
        ("topP is 1.5", { $0.sampling.topP = 1.5 }),
        (
            "minTokens forbids every token",
            {
                $0.sampling.minTokens = 1
                $0.sampling.stopIDs = Set(0..<512)
            }
        ),
        ("names the adapter 'x', which is not registered", { $0.adapter = "x" }),
    ]

    @Test("are refused with a sentence that names them", arguments: faults.indices)
    func refusal(index: Int) throws {
        let (text, change) = Self.faults[index]
        var request = Self.plain
        change(&request)
        let engine = try TinyModel().engine()
        let error = #expect(throws: RolloutError.self) { try engine.submit(request) }
        let message = try #require(error).description
        #expect(message.contains(text))
        #expect(message.hasPrefix("Request 42 "))
        #expect(message.hasSuffix("."))
        #expect(engine.requestCount == 0)
    }

    @Test("A second request with an id that is under way is refused")
    func duplicateID() throws {
        let engine = try TinyModel().engine()
        try engine.submit(Self.plain)
        #expect(throws: RolloutError.self) { try engine.submit(Self.plain) }
        #expect(throws: RolloutError.self) { try engine.generate([Self.plain]) }
        while engine.requestCount > 0 { _ = try engine.step() }
        try engine.submit(Self.plain)
    }

    @Test("A request that the cache can never hold is refused")
    func cacheLimit() throws {
        let model = try TinyModel()
        let bytes = KVCache.bytesPerBlock(model.decoder.config, blockSize: 16)
        let engine = try model.engine { $0.cacheLimit = .bytes(2 * bytes) }
        var request = Self.plain
        request.sampling.maxTokens = 30
        try engine.submit(request)
        request.id = 43
        request.sampling.maxTokens = 31
        let error = #expect(throws: RolloutError.self) { try engine.submit(request) }
        #expect(error?.description.contains("take 3 KV blocks") == true)
        request.sampling.maxTokens = .max
        #expect(throws: RolloutError.self) { try engine.submit(request) }
    }

    @Test("Settings that are impossible for the model are refused")
    func settings() throws {
        let model = try TinyModel()
        let changes: [(inout EngineSettings) -> Void] = [
            { $0.blockSize = 0 }, { $0.blockSize = .max }, { $0.maxSequences = 0 },
            { $0.maxBatchedTokens = -1 },
            {
                $0.maxBatchedTokens = 511
                $0.chunksPrompts = false
            },
            { $0.maxModelLength = 513 }, { $0.maxModelLength = 1 },
            { $0.cacheLimit = .bytes(100) }, { $0.cacheLimit = .bytes(-1) },
            { $0.cacheLimit = .memoryShare(0) }, { $0.cacheLimit = .memoryShare(1.1) },
            { $0.cacheLimit = .memoryShare(.nan) },
        ]
        for change in changes {
            #expect(throws: RolloutError.self) { try model.engine(change) }
        }
    }

    @Test("Logits that are not numbers end in an error that names request and position")
    func notANumber() throws {
        let healthy = try TinyModel().decoder
        let broken = DecoderWeights(healthy.config) { name, shape in
            let tensor = Tensor(uninitialized: shape)
            tensor.fill(name == "model.norm.weight" ? .nan : 0.01)
            return tensor
        }
        let engine = try RolloutEngine(
            model: Decoder(healthy.config, broken), settings: EngineSettings())
        let error = #expect(throws: RolloutError.self) { try engine.generate([Self.plain]) }
        #expect(error?.description.contains("Request 42") == true)
        #expect(error?.description.contains("position 3") == true)
        #expect(engine.requestCount == 0)
    }

    @Test("Prefixes of a step that failed are not found later")
    func failedStep() throws {
        let model = try TinyModel()
        var broken = AdapterWeights(layerCount: model.decoder.config.layerCount)
        let shape = Projection.down.shape(model.decoder.config)
        let nothing = Tensor(zeros: [1, shape[1]])
        nothing.fill(.nan)
        broken[0, .down] = LowRank(A: nothing, B: Tensor(zeros: [shape[0], 1]), scale: 1)
        let sampling = SamplingSettings(temperature: 0, maxTokens: 4)
        let request = RolloutRequest(id: 2, prompt: model.prompts[6], sampling: sampling)
        let engine = try model.engine()
        try engine.register(EngineAdapter(name: "broken", version: 1, weights: broken))
        try engine.submit(
            RolloutRequest(id: 1, prompt: [5, 6], sampling: sampling, adapter: "broken"))
        try engine.submit(request)
        #expect(throws: RolloutError.self) { try engine.step() }
        let completions = try engine.generate([request])
        #expect(completions.map(\.tokens) == [model.greedy(request.prompt, count: 4)])
        #expect(engine.counts.reusedTokens == 0)
    }
}
