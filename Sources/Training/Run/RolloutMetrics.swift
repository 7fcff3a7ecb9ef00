import Objectives
import Rewards
import Rollouts
import Tensors

extension [String: Double] {
    /// verl's metrics of one batch of responses: scores, advantages and lengths.
    ///
    /// - Parameters:
    ///   - lengthLimits: the longest prompt and response that the settings allow.
    package mutating func addRolloutMetrics(
        _ rollout: StepRollout.Outcome, _ outcome: LearningStep.Outcome,
        lengthLimits: (prompt: Int, response: Int)
    ) {
        let responses = rollout.responses
        addScores(outcome)
        addRewardNumbers(responses)
        self["train/num_gen_batches"] = Double(rollout.batchCount)
        let lengths = responses.map { Double($0.completion.tokens.count) }
        add("response_length", lengths)
        self["response_length/clip_ratio"] = share(lengths) { $0 >= Double(lengthLimits.response) }
        let prompts = responses.map { Double($0.row.promptIDs.count) }
        add("prompt_length", prompts)
        self["prompt_length/clip_ratio"] = share(prompts) { $0 >= Double(lengthLimits.prompt) }
        addTokenTotals(Double(responses.reduce(0) { $0 + $1.tokenCount }))
        self["response/aborted_ratio"] = share(lengths) { $0 == 0 }
    }

    /// The mean of each number that the reward gave beside its score, over the responses that have
    /// it.
    private mutating func addRewardNumbers(_ responses: [ScoredResponse]) {
        var values: [String: [Double]] = [:]
        for response in responses {
            for (name, value) in response.reward.extras { values[name, default: []].append(value) }
        }
        for (name, list) in values { self["reward/\(name)/mean"] = Summary(list)?.mean }
    }

    /// Scores, rewards (with the KL taken off, where it is), and what became of them.
    private mutating func addScores(_ outcome: LearningStep.Outcome) {
        let experience = outcome.experience
        let layout = experience.samples.responseLayout
        add("critic/score", experience.scores.map { Double($0) })
        add(
            "critic/rewards",
            (0..<layout.sequenceCount).map { sequence in
                layout.tokens(of: sequence).reduce(0) { $0 + Double(experience.tokenRewards[$1]) }
            })
        let learned = layout.unmaskedTokens
        add("critic/advantages", learned.map { Double(outcome.estimates.advantages[$0]) })
        let returns = learned.map { Double(outcome.estimates.returns[$0]) }
        add("critic/returns", returns)
        guard let all = experience.samples.joined(\.values) else { return }
        let values = learned.map { Double(all[$0]) }
        add("critic/values", values)
        let unexplained = zip(returns, values).map { $0 - $1 }.variance
        self["critic/vf_explained_var"] = 1 - unexplained / (returns.variance + 1e-5)
    }

    /// verl's comparison of the tokens that each worker computes; here there is one.
    private mutating func addTokenTotals(_ total: Double) {
        for name in ["min", "max", "mean", "balanced_min", "balanced_max"] {
            self["global_seqlen/\(name)"] = total
        }
        self["global_seqlen/minmax_diff"] = 0
    }

    private func share(_ values: [Double], _ condition: (Double) -> Bool) -> Double {
        values.isEmpty ? 0 : Double(values.count(where: condition)) / Double(values.count)
    }

    /// Where the run stands, and what the step took in time and memory.
    mutating func addRunMetrics(
        _ state: TrainerState, _ responses: [ScoredResponse], epoch: Int, _ stopwatch: Stopwatch,
        on device: Device
    ) {
        self["training/global_step"] = Double(state.step)
        self["training/epoch"] = Double(epoch)
        addTimes(
            stopwatch, responseTokens: responses.reduce(0) { $0 + $1.completion.tokens.count },
            allTokens: responses.reduce(0) { $0 + $1.tokenCount })
        let gibibyte = Double(1 << 30)
        self["perf/max_memory_allocated_gb"] = Double(device.peakMemory) / gibibyte
        self["perf/cpu_memory_used_gb"] = Double(ProcessMemory.peakResidentBytes) / gibibyte
    }

    /// verl's times: `timing_s/PHASE`, and the same for each token where that says something.
    ///
    /// - Parameters:
    ///   - responseTokens: response tokens of the step.
    ///   - allTokens: prompt and response tokens of the step.
    private mutating func addTimes(
        _ stopwatch: Stopwatch, responseTokens: Int, allTokens: Int
    ) {
        for (phase, seconds) in stopwatch.seconds { self["timing_s/\(phase)"] = seconds }
        let step = stopwatch.elapsed
        self["timing_s/step"] = step
        for (phase, seconds) in stopwatch.seconds {
            let count = phase == "gen" ? responseTokens : allTokens
            self["timing_per_token_ms/\(phase)"] = seconds * 1000 / Double(Swift.max(1, count))
        }
        self["perf/total_num_tokens"] = Double(allTokens)
        self["perf/time_per_step"] = step
        self["perf/throughput"] = Double(allTokens) / step
    }
}

extension ScoredResponse {
    /// Tokens of prompt and response.
    fileprivate var tokenCount: Int { row.promptIDs.count + completion.tokens.count }
}

extension [Double] {
    /// The variance with Bessel's correction; 0 of fewer than two.
    fileprivate var variance: Double {
        guard count > 1 else { return 0 }
        let mean = reduce(0, +) / Double(count)
        return reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
    }
}
