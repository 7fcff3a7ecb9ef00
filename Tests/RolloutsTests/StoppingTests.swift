import Models
import Rollouts
import Tensors
import Testing

@Suite("The end of a response")
struct StoppingTests {
    private let model: TinyModel
    private let request: RolloutRequest
    /// The response when nothing stops it.
    private let tokens: [Int32]

    init() throws {
        model = try TinyModel()
        request = model.requests(SamplingSettings(maxTokens: 20, seed: 11))[5]
        tokens = try model.engine().generate([request])[0].tokens
    }

    @Test("comes with a stop id, which is its last token")
    func stop() throws {
        let stop = tokens[6]
        let end = try #require(tokens.firstIndex(of: stop))
        var request = request
        request.sampling.stopIDs = [stop, 511]
        let completion = try model.engine().generate([request])[0]
        #expect(completion.tokens == Array(tokens[...end]))
        #expect(completion.logProbabilities.count == end + 1)
        #expect(completion.finishReason == .stop)
        #expect(completion.finishReason.rawValue == "stop")
    }

    @Test("does not come with a stop id when those are ignored")
    func ignoredStop() throws {
        var request = request
        request.sampling.stopIDs = [tokens[6]]
        request.sampling.ignoreEOS = true
        request.sampling.minTokens = 20
        let completion = try model.engine().generate([request])[0]
        #expect(completion.tokens == tokens)
        #expect(completion.finishReason == .length)
    }

    @Test("does not come before the fewest tokens, and log-probabilities know of it")
    func minTokens() throws {
        var request = request
        // Half of the vocabulary stops: without a least length few responses would be long.
        request.sampling.stopIDs = Set(0..<256)
        request.sampling.minTokens = 5
        let engine = try model.engine()
        let completion = try engine.generate([request])[0]
        #expect(completion.tokens.count > 5)
        #expect(completion.tokens[..<5].allSatisfy { $0 >= 256 })
        let plain = model.logProbabilities(request.prompt, completion.tokens, temperature: 1)
        let gains = zip(completion.logProbabilities, plain).map { $0 - $1 }
        #expect(gains[..<5].allSatisfy { $0 > 0.1 })
        #expect(gains[5...].allSatisfy { abs($0) < 1e-5 })
    }

    @Test("comes with the longest sequence")
    func modelLength() throws {
        let engine = try model.engine { $0.maxModelLength = 40 }
        let completion = try engine.generate([request])[0]
        #expect(completion.tokens == Array(tokens[..<(40 - request.prompt.count)]))
        #expect(completion.finishReason == .length)
        #expect(completion.finishReason.rawValue == "length")
    }

    @Test("comes at once with one token")
    func oneToken() throws {
        var request = request
        request.sampling.maxTokens = 1
        let engine = try model.engine()
        #expect(try engine.generate([request])[0].tokens == [tokens[0]])
        #expect(engine.counts.steps == 1)
    }
}
