import Rollouts
import Testing

@Suite("Engine times")
struct EngineTimesTests {
    @Test("tell steps that read prompts from those that only draw on")
    func parts() throws {
        let engine = try TinyModel().engine { $0.reusesPrefixes = false }
        #expect(engine.times.prefill.tokensPerSecond == nil && engine.times.firstToken == nil)
        let start = ContinuousClock.now
        let sampling = SamplingSettings(maxTokens: 4)
        _ = try engine.generate([
            RolloutRequest(id: 1, prompt: [5, 6, 7], sampling: sampling),
            RolloutRequest(id: 2, prompt: [8, 9, 10, 11, 12], sampling: sampling),
        ])
        #expect(engine.times.prefill.tokens == 8)
        // The last token drawn is not computed.
        #expect(engine.times.decode.tokens == 6)
        #expect((engine.times.decode.tokensPerSecond ?? 0) > 0)
        let first = try #require(engine.times.firstToken)
        #expect(first > start && first < .now)
        let seconds = engine.times.prefill.seconds + engine.times.decode.seconds
        #expect(seconds > 0 && seconds <= (ContinuousClock.now - start) / .seconds(1))
    }
}
