import Objectives
import Rewards
package import Rollouts

/// The rollouts of a step: its groups of scored responses, and what some estimators need besides.
package struct StepRollout {
    private let collector: ResponseCollector
    private let settings: Settings

    package struct Settings: Sendable {
        /// Prompts that a step learns from.
        package var promptCount: Int
        /// Responses to each of them.
        package var responsesPerPrompt: Int
        package var sampling: Rollouts.SamplingSettings
        /// How the baseline of `remax` is sampled; nil where no estimator needs it.
        package var baselineSampling: Rollouts.SamplingSettings?
        /// Which groups are left out and replaced; nil for none.
        package var filter: GroupFilterSettings?
        /// How often the prompts may be gone through.
        package var epochs: Int
    }

    package init(_ collector: ResponseCollector, _ settings: Settings) {
        self.collector = collector
        self.settings = settings
    }

    /// What one step learns from.
    package struct Outcome: Sendable {
        /// The responses, those of one group together; groups are numbered from 0.
        package var responses: [ScoredResponse] = []
        /// Batches that were sampled until there were enough groups.
        package var batchCount = 0
        /// Responses that were sampled, those left out included.
        package var sampledCount = 0
        /// Score of the greedy response to each group's prompt, where asked for.
        package var greedyScores: [Double]?
        fileprivate var groupCount = 0
    }

    /// Samples the responses of one step.
    ///
    /// Each step has its own range of request numbers, and so its own randomness; validation has
    /// the range of step 0.
    /// - Parameter progress: called with what is under way.
    /// - Returns: nil when the prompts have been gone through as often as the settings allow.
    /// - Throws: also when too many batches gave too few groups that differ.
    package func run(
        _ sampler: inout PromptSampler, step: Int, adapter: EngineAdapter?,
        _ stopwatch: inout Stopwatch, progress: (String) -> Void
    ) async throws -> Outcome? {
        var outcome = Outcome()
        let firstRequestID = UInt64(step) << 32
        while outcome.groupCount < settings.promptCount {
            guard !sampler.hasEnded(afterEpochs: settings.epochs) else { return nil }
            try checkLimit(outcome, step: step)
            let rows = sampler.next()
            let total = rows.count * settings.responsesPerPrompt
            let title = outcome.batchCount == 0 ? "" : "\(outcome.batchCount + 1): "
            let start = ContinuousClock.now
            let responses = try await collector.collect(
                rows, count: settings.responsesPerPrompt, sampling: settings.sampling,
                adapter: adapter, firstRequestID: firstRequestID + UInt64(outcome.sampledCount)
            ) { progress("rollout \(title)\($0)/\(total)") }
            stopwatch.add("gen", (ContinuousClock.now - start).seconds)
            outcome.batchCount += 1
            outcome.sampledCount += responses.count
            try take(responses, into: &outcome)
        }
        try await addBaseline(
            to: &outcome, adapter, firstRequestID: firstRequestID + UInt64(outcome.sampledCount),
            &stopwatch, progress)
        return outcome
    }

    private func checkLimit(_ outcome: Outcome, step: Int) throws(TrainingError) {
        guard let limit = settings.filter?.maxBatches, outcome.batchCount >= limit else { return }
        throw TrainingError(
            "Step \(step): \(limit) batches (algorithm.filter_groups.max_num_gen_batches) gave only "
                + "\(outcome.groupCount) of \(settings.promptCount) groups whose responses differ "
                + "in \(settings.filter?.metric ?? "score"): the prompts are too easy or too hard, "
                + "or the limit is too low.")
    }

    /// Adds the groups to learn from, as many as are needed, under numbers of their own.
    private func take(_ responses: [ScoredResponse], into outcome: inout Outcome) throws {
        var chosen = Set(responses.map(\.group))
        if let filter = settings.filter {
            let values = try responses.map {
                try $0.number(filter.metric, setting: "algorithm.filter_groups.metric")
            }
            chosen = groupsWithVariance(values, groups: responses.map(\.group))
        }
        let missing = settings.promptCount - outcome.groupCount
        let groups = chosen.sorted().prefix(missing)
        for (place, group) in groups.enumerated() {
            let number = outcome.groupCount + place
            outcome.responses += responses.filter { $0.group == group }.map { response in
                var response = response
                response.group = number
                return response
            }
        }
        outcome.groupCount += groups.count
    }

    /// The greedy response to each prompt, https://arxiv.org/abs/2310.10505.
    private func addBaseline(
        to outcome: inout Outcome, _ adapter: EngineAdapter?, firstRequestID: UInt64,
        _ stopwatch: inout Stopwatch, _ progress: (String) -> Void
    ) async throws {
        guard let sampling = settings.baselineSampling else { return }
        let size = settings.responsesPerPrompt
        let rows = stride(from: 0, to: outcome.responses.count, by: size).map {
            outcome.responses[$0].row
        }
        let start = ContinuousClock.now
        let greedy = try await collector.collect(
            rows, count: 1, sampling: sampling, adapter: adapter, firstRequestID: firstRequestID
        ) { progress("baseline \($0)/\(rows.count)") }
        stopwatch.add("gen_max", (ContinuousClock.now - start).seconds)
        outcome.greedyScores = try greedy.map { try $0.score }
    }
}
