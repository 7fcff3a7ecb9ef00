import Models
import Tensors

/// Computes one step: the forward pass over its new tokens, and the tokens drawn after them.
struct Runner {
    let decoder: Decoder

    /// The most rows of logits held at once: 64 rows of 150,000 words are 39 MB.
    private static let logitsRows = 64

    /// What the step draws, one token for each entry that samples, in their order.
    ///
    /// Requests of different adapters go through the model one adapter after the other,
    /// that of the oldest request first.
    ///
    /// - Throws: `RolloutError` when logits are not numbers.
    func run(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest], cache: KVCache,
        adapters: [String: EngineAdapter]
    ) throws(RolloutError) -> [ChosenToken] {
        let first = running[scheduled[0].index].adapter
        if scheduled.allSatisfy({ running[$0.index].adapter == first }) {
            let weights = first.flatMap { adapters[$0.name]?.weights }
            return try run(scheduled, of: running, cache: cache, weights)
        }
        var choices: [Int: ChosenToken] = [:]
        var served: Set<AdapterVersion?> = []
        for adapter in scheduled.map({ running[$0.index].adapter })
        where served.insert(adapter).inserted {
            let entries = scheduled.filter { running[$0.index].adapter == adapter }
            let weights = adapter.flatMap { adapters[$0.name]?.weights }
            let chosen = try run(entries, of: running, cache: cache, weights)
            for (entry, choice) in zip(entries.lazy.filter(\.samples), chosen) {
                choices[entry.index] = choice
            }
        }
        return scheduled.compactMap { choices[$0.index] }
    }

    private func run(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest], cache: KVCache,
        _ adapter: AdapterWeights?
    ) throws(RolloutError) -> [ChosenToken] {
        let batch = StepBatch(scheduled, of: running, blockSize: cache.blockSize)
        let hidden_TD = decoder.hidden(batch.input(cache), adapter: adapter)
        var choices: [ChosenToken] = []
        choices.reserveCapacity(batch.sampledRows.count)
        var start = 0
        while start < batch.sampledRows.count {
            let range = start..<min(start + Self.logitsRows, batch.sampledRows.count)
            let rows = TokenIndices(Array(batch.sampledRows[range]))
            let logits_NV = decoder.logits(selectRows(hidden_TD, rows, nil))
            let requests = batch.sampledRequests[range].map { running[$0] }
            choices += try draw(logits_NV, for: requests)
            start = range.upperBound
        }
        return choices
    }

    /// A token for each row of logits.
    private func draw(
        _ logits_NV: Tensor, for requests: [ActiveRequest]
    ) throws(RolloutError) -> [ChosenToken] {
        forbidStops(logits_NV, requests)
        let settings = requests.map { active in
            let sampling = active.request.sampling
            let uniform = CounterRandom(seed: sampling.seed)
                .uniform(stream: active.request.id, position: UInt64(active.tokens.count))
            return TokenChoice(
                temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP,
                uniform: uniform)
        }
        let (tokens, logProbabilities) = sample(logits_NV, settings)
        var choices: [ChosenToken] = []
        for (row, active) in requests.enumerated() {
            guard tokens[row] >= 0, logProbabilities[row].isFinite else {
                throw RolloutError(
                    "Request \(active.request.id) has no distribution to draw the token at "
                        + "position \(active.tokens.count) from: the model's logits are not "
                        + "numbers; its weights hold some that are none, or training diverged.")
            }
            choices.append(
                ChosenToken(token: tokens[row], logProbability: logProbabilities[row]))
        }
        return choices
    }

    /// Takes the stop ids out of the distribution of responses that must go on.
    private func forbidStops(_ logits_NV: Tensor, _ requests: [ActiveRequest]) {
        let V = logits_NV.columns
        for (row, active) in requests.enumerated() {
            let sampling = active.request.sampling
            guard sampling.forbidsStop(afterTokens: active.responseCount) else { continue }
            logits_NV.withMutableFloats { logits in
                for stop in sampling.stopIDs where stop >= 0 && stop < V {
                    logits[row * V + Int(stop)] = -.infinity
                }
            }
        }
    }
}

/// One step as the arrays that the model reads.
private struct StepBatch {
    private var tokens: [Int32] = []
    private var positions: [Int32] = []
    private var slots: [Int32] = []
    private var starts: [Int32] = [0]
    private var lengths: [Int32] = []
    private var tables: [Int32] = []
    private var tableStride = 1
    /// The rows after which a token is drawn.
    private(set) var sampledRows: [Int32] = []
    /// For each of them the place of its request.
    private(set) var sampledRequests: [Int] = []

    init(_ scheduled: [ScheduledRequest], of running: [ActiveRequest], blockSize: Int) {
        tableStride = scheduled.map { running[$0.index].table.count }.max() ?? 1
        for entry in scheduled {
            let active = running[entry.index]
            tokens += active.tokens[entry.positions]
            for position in entry.positions {
                positions.append(Int32(position))
                let block = Int(active.table[position / blockSize])
                slots.append(Int32(block * blockSize + position % blockSize))
            }
            starts.append(Int32(tokens.count))
            lengths.append(Int32(entry.positions.upperBound))
            tables += active.table
            tables += repeatElement(0, count: tableStride - active.table.count)
            if entry.samples {
                sampledRows.append(Int32(tokens.count - 1))
                sampledRequests.append(entry.index)
            }
        }
    }

    func input(_ cache: KVCache) -> DecoderInput {
        let plan = PagedPlan(
            starts: starts, lengths: lengths, tables: tables, tableStride: tableStride,
            slots: slots)
        return DecoderInput(tokens: tokens, positions: positions, attention: .paged(plan, cache))
    }
}
