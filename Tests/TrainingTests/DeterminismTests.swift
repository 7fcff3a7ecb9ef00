import Models
import Objectives
import OracleFixtures
import Rollouts
import Tensors
import Testing

@testable import Training

/// What a step computes, which must have the same bits however the work is spread.
@Suite("Determinism", .serialized)
struct DeterminismTests {
    private struct Outcome: Equatable {
        var tokens: [[Int32]]
        var rollout: [[Float]]
        var scores: [[Float]]
        var gradient: [[Float]]
    }

    private static func requests() -> [RolloutRequest] {
        let random = CounterRandom(seed: 23)
        return (0..<12).map { index in
            let prompt = (0..<(index / 3) * 17 + 3).map {
                Int32(3 + 490 * random.uniform(stream: UInt64(index / 3), position: UInt64($0)))
            }
            return RolloutRequest(
                id: UInt64(index), prompt: prompt,
                sampling: Rollouts.SamplingSettings(
                    temperature: 0.9, maxTokens: 4 + 3 * index, stopIDs: [2], seed: 5))
        }
    }

    /// Samples, scores and differentiates the responses to the requests in this order.
    private func outcome(
        _ policy: Policy, order: [Int], maxSequences: Int = 64,
        scoring: MicroBatchSettings = .samples(64)
    ) throws -> Outcome {
        let all = Self.requests()
        var engineSettings = EngineSettings()
        engineSettings.maxSequences = maxSequences
        let engine = try RolloutEngine(model: policy.decoder, settings: engineSettings)
        let served = policy.adapter.map { EngineAdapter(name: "policy", version: 0, weights: $0) }
        let unordered = try engine.generate(order.map { all[$0] }, adapter: served)
        let completions = unordered.sorted { $0.requestID < $1.requestID }
        let samples = completions.map {
            PolicySample(
                prompt: all[Int($0.requestID)].prompt, response: $0.tokens,
                rolloutLogProbabilities: $0.logProbabilities,
                oldLogProbabilities: $0.logProbabilities,
                advantages: $0.tokens.indices.map { Float($0 % 3) - 0.7 })
        }
        let scores = try logProbabilities(samples, scoring) {
            policy.score($0, temperature: 0.9, keeping: .all, nil)
        }
        policy.parameters.clearGradients()
        _ = try accumulatePolicyGradient(
            policy, samples,
            PolicyUpdateSettings(
                loss: PolicyLossSettings(entropyCoefficient: 0.01), temperature: 0.9,
                microBatches: .tokens(200), kept: .within(bytes: 0), paddedResponseLength: 40))
        return Outcome(
            tokens: completions.map(\.tokens), rollout: completions.map(\.logProbabilities),
            scores: scores, gradient: policy.parameters.gradientsByName.map(\.gradient))
    }

    @Test(
        "tokens, log-probabilities and gradients have the same bits for 1, 2 and 3 threads",
        arguments: OracleFixtures.models)
    func threads(model: String) throws {
        let policy = try StepOracle(model, "all-linear-r8").policy
        let before = Threads.count
        defer { Threads.setCount(before) }
        let outcomes = try (1...3).map { count in
            Threads.setCount(count)
            return try outcome(policy, order: Array(0..<12))
        }
        #expect(outcomes[0].gradient.joined().contains { $0 != 0 })
        #expect(outcomes[1] == outcomes[0])
        #expect(outcomes[2] == outcomes[0])
    }

    @Test(
        "they do not depend on what shares a batch, its order, or the cut of scoring passes",
        arguments: OracleFixtures.models)
    func batches(model: String) throws {
        let policy = try StepOracle(model, "all-linear-r8").policy
        let together = try outcome(policy, order: Array(0..<12))
        let few = try outcome(
            policy, order: [7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4], maxSequences: 3,
            scoring: .tokens(70))
        #expect(few == together)
        #expect(together.scores == together.rollout)
    }
}
