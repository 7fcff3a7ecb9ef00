import Rewards
package import Rollouts

/// The validation prompts answered by the present policy, and scored.
package struct Validation {
    private let collector: ResponseCollector
    private let rows: [PromptRow]
    private let responsesPerRow: Int
    private let sampling: Rollouts.SamplingSettings

    package init(
        _ collector: ResponseCollector, rows: [PromptRow], responsesPerRow: Int,
        sampling: Rollouts.SamplingSettings
    ) {
        self.collector = collector
        self.rows = rows
        self.responsesPerRow = responsesPerRow
        self.sampling = sampling
    }

    /// The validation of a run; nil where it has no prompts for one.
    init?(_ collector: ResponseCollector, _ parts: ReinforcementParts, _ settings: TrainSettings) {
        guard let prompts = parts.validationPrompts else { return nil }
        let sampling = settings.rollout.validationSampling
        self.init(
            collector, rows: prompts.rows, responsesPerRow: sampling.responseCount,
            sampling: Rollouts.SamplingSettings(sampling, settings, stopIDs: parts.stopIDs))
    }

    /// What one validation found.
    package struct Outcome: Sendable {
        /// Mean score over all responses.
        package let meanScore: Double
        /// `val-core/SOURCE/reward/mean@N` and the other numbers that the reward gives.
        package let metrics: [String: Double]
        package let responses: [ScoredResponse]
    }

    /// Answers every row. The same policy gives the same outcome: requests are numbered alike each
    /// time.
    package func run(
        adapter: EngineAdapter?, progress: (Int) -> Void
    ) async throws -> Outcome {
        let responses = try await collector.collect(
            rows, count: responsesPerRow, sampling: sampling, adapter: adapter,
            firstRequestID: 0, progress: progress)
        var metrics: [String: Double] = [:]
        for (source, group) in Dictionary(grouping: responses, by: \.row.dataSource) {
            metrics.merge(sourceMetrics(source, group)) { $1 }
        }
        let scores = responses.map(\.reward.score)
        return Outcome(
            meanScore: scores.reduce(0, +) / Double(max(1, scores.count)), metrics: metrics,
            responses: responses)
    }

    /// verl calls `acc`, or else the reward, the core metric; everything else is auxiliary.
    private func sourceMetrics(_ source: String, _ group: [ScoredResponse]) -> [String: Double] {
        var values = ["reward": group.map(\.reward.score)]
        for response in group {
            for (name, value) in response.reward.extras { values[name, default: []].append(value) }
        }
        let core = values["acc"] == nil ? "reward" : "acc"
        var metrics: [String: Double] = [:]
        for (name, list) in values {
            guard let summary = Summary(list) else { continue }
            let section = name == core ? "val-core" : "val-aux"
            metrics["\(section)/\(source)/\(name)/mean@\(responsesPerRow)"] = summary.mean
        }
        let lengths = group.map { Double($0.completion.tokens.count) }
        metrics["val-aux/\(source)/response_length/mean"] = Summary(lengths)?.mean
        return metrics
    }
}
