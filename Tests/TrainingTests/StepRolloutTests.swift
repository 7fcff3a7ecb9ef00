import Formats
import Models
import Objectives
import OracleFixtures
import Rewards
import Rollouts
import Testing

@testable import Training

/// Scores a response by the length of its text, or of the prompt's number alone.
private struct LengthReward: RewardFunction {
    /// Samples all of whose responses are worth the same, by name.
    let settled: Set<String>

    func score(_ request: RewardRequest) async -> RewardScore {
        let length = Double(request.response.utf8.count)
        let score = settled.contains(request.sampleName) ? 1 : length
        return RewardScore(score: score, extras: ["length": length])
    }

    func close() async {}
}

@Suite("The rollouts of a step")
struct StepRolloutTests {
    /// Eight prompts; the responses to those in `settled` are all worth 1.
    private func rollout(
        settled: Set<Int> = [], penalty: OverlongPenalty? = nil,
        _ change: (inout StepRollout.Settings) -> Void = { _ in }
    ) throws -> (StepRollout, PromptSampler) {
        let rows = (0..<8).map {
            PromptRow(
                index: $0, name: "row \($0)", prompt: .text(""), promptIDs: [Int32(4 + $0), 9],
                dataSource: "", groundTruth: "", groundTruthValue: .null, extraInfo: .null)
        }
        let collector = ResponseCollector(
            engine: try RolloutEngine(
                model: try Decoder(directory: RunFolder.model), settings: EngineSettings()),
            tokenizer: try Tokenizer(directory: RunFolder.model),
            reward: LengthReward(settled: Set(settled.map { "row \($0)" })),
            overlongPenalty: penalty)
        var settings = StepRollout.Settings(
            promptCount: 4, responsesPerPrompt: 3,
            sampling: Rollouts.SamplingSettings(
                temperature: 1, maxTokens: 8, stopIDs: [2], seed: 7),
            epochs: 2)
        change(&settings)
        let sampler = try PromptSampler(
            rows: rows, batchSize: 4, seed: nil, name: "rows", key: "size")
        return (StepRollout(collector, settings), sampler)
    }

    @Test("groups that teach nothing are replaced by those of further prompts")
    func filter() async throws {
        var (rollout, sampler) = try rollout(settled: [0, 2]) {
            $0.filter = GroupFilterSettings(metric: "score", maxBatches: 2)
        }
        var stopwatch = Stopwatch()
        let outcome = try #require(
            try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in })
        #expect(outcome.batchCount == 2 && outcome.sampledCount == 24)
        #expect(outcome.responses.map(\.group) == (0..<4).flatMap { [$0, $0, $0] })
        let rows = outcome.responses.map(\.row.index)
        #expect(rows == [1, 3, 4, 5].flatMap { [$0, $0, $0] })
        // Every request had a number, and so a chance, of its own.
        #expect(Set(outcome.responses.map(\.completion.requestID)).count == 12)
        #expect(sampler.rowsTaken == 8)
    }

    @Test("too few groups within the limit end the run with the key's name")
    func limit() async throws {
        var (rollout, sampler) = try rollout(settled: Set(0..<7)) {
            $0.filter = GroupFilterSettings(metric: "score", maxBatches: 3)
        }
        var stopwatch = Stopwatch()
        let error = await #expect(throws: TrainingError.self) {
            try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in }
        }
        let message = error?.description ?? ""
        #expect(message.contains("max_num_gen_batches") && message.contains("1 of 4 groups"))
    }

    @Test("without a limit the prompts are gone through as often as the epochs allow")
    func exhausted() async throws {
        var (rollout, sampler) = try rollout(settled: Set(0..<8)) {
            $0.filter = GroupFilterSettings(metric: "acc", maxBatches: nil)
        }
        var stopwatch = Stopwatch()
        let outcome = try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in }
        #expect(outcome == nil)
        #expect(sampler.rowsTaken == 16)
    }

    @Test("a metric that the reward does not give is named with those that it gives")
    func unknownMetric() async throws {
        var (rollout, sampler) = try rollout {
            $0.filter = GroupFilterSettings(metric: "lenght", maxBatches: nil)
        }
        var stopwatch = Stopwatch()
        let error = await #expect(throws: TrainingError.self) {
            try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in }
        }
        let message = error?.description ?? ""
        #expect(message.contains("'lenght'") && message.contains("score, length"))
    }

    @Test("each group has a greedy response beside it where a baseline is asked for")
    func baseline() async throws {
        let greedy = Rollouts.SamplingSettings(
            temperature: 0, maxTokens: 8, stopIDs: [2], seed: 7)
        var (rollout, sampler) = try rollout { $0.baselineSampling = greedy }
        var stopwatch = Stopwatch()
        let outcome = try #require(
            try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in })
        #expect(outcome.greedyScores?.count == 4)
        #expect(stopwatch.seconds["gen_max"] != nil)
        var (again, samplerAgain) = try self.rollout { $0.baselineSampling = greedy }
        // Greedy responses are the same at whatever step.
        let other = try await again.run(
            &samplerAgain, step: 5, adapter: nil, &stopwatch
        ) { _ in }
        #expect(other?.greedyScores == outcome.greedyScores)
        let experience = try Experience(
            outcome.responses, greedyScores: outcome.greedyScores)
        #expect(experience.greedyScores?[3] == outcome.greedyScores.map { Float($0[1]) })
    }

    @Test("long responses lose of their score what the penalty says, and keep it as acc")
    func overlong() async throws {
        var (rollout, sampler) = try rollout(
            settled: Set(0..<8),
            penalty: OverlongPenalty(maxLength: 8, bufferLength: 4, factor: 0.5))
        var stopwatch = Stopwatch()
        let outcome = try #require(
            try await rollout.run(&sampler, step: 1, adapter: nil, &stopwatch) { _ in })
        for response in outcome.responses {
            let excess = max(0, response.completion.tokens.count - 4)
            #expect(response.reward.score == 1 - 0.5 * Double(excess) / 4)
            #expect(response.reward.extras["acc"] == 1)
            #expect(response.reward.extras["overlong_reward"] == response.reward.score - 1)
        }
    }
}
