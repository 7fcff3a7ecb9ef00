import Models
import Tensors

/// The tokens of a step, one for each entry that samples, in their order.
enum StepDraws {
    case drawn([ChosenToken])
    /// They are still being drawn: `[rows, 2]`, as `CUDADevice.sample` writes them.
    case onDevice(FetchedResults)
}

/// Computes one step: the forward pass over its new tokens, and the tokens drawn after them.
struct Runner {
    let decoder: Decoder
    /// How decode steps go on a GPU.
    let graphs: DecodeGraphs?
    /// How often the model was run.
    private(set) var forwardPasses = 0

    /// The most rows of logits held at once: 64 rows of 150,000 words are 39 MB.
    private static let logitsRows = 64

    init(decoder: Decoder, maxSequences: Int, maxModelLength: Int) {
        self.decoder = decoder
        graphs = DecodeGraphs(
            decoder: decoder, maxSequences: maxSequences, maxModelLength: maxModelLength)
    }

    /// Starts a step: one forward pass, whatever adapters the requests have.
    ///
    /// - Throws: `RolloutError` when logits are not numbers.
    mutating func start(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest], cache: KVCache,
        adapters: [String: EngineAdapter]
    ) throws(RolloutError) -> StepDraws {
        forwardPasses += 1
        if let results = graphs?.start(scheduled, of: running, cache: cache, adapters: adapters) {
            return .onDevice(results)
        }
        return .drawn(try run(scheduled, of: running, cache: cache, adapters: adapters))
    }

    /// What the step drew; waits for it.
    ///
    /// - Throws: `RolloutError` when logits are not numbers.
    func finish(
        _ draws: StepDraws, _ scheduled: [ScheduledRequest], of running: [ActiveRequest]
    ) throws(RolloutError) -> [ChosenToken] {
        switch draws {
        case .drawn(let choices): return choices
        case .onDevice(let results):
            return try Self.checked(
                drawnTokens(results.values), for: scheduled.map { running[$0.index] })
        }
    }

    private func run(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest], cache: KVCache,
        adapters: [String: EngineAdapter]
    ) throws(RolloutError) -> [ChosenToken] {
        let batch = StepBatch(
            Self.byAdapter(scheduled, of: running), of: running, blockSize: cache.blockSize)
        let runs = batch.adapterRows.compactMap { name, rows in
            adapters[name].map { AdapterRun($0.weights, rows: rows) }
        }
        let hidden_TD = decoder.hidden(batch.input(cache), adapters: runs)
        var choices = [ChosenToken?](repeating: nil, count: running.count)
        var start = 0
        while start < batch.sampledRows.count {
            let range = start..<min(start + Self.logitsRows, batch.sampledRows.count)
            let rows = TokenIndices(Array(batch.sampledRows[range]))
            let logits_NV = decoder.logits(selectRows(hidden_TD, rows, nil))
            let requests = batch.sampledRequests[range]
            let drawn = try draw(logits_NV, for: requests.map { running[$0] })
            for (request, choice) in zip(requests, drawn) { choices[request] = choice }
            start = range.upperBound
        }
        return scheduled.compactMap { choices[$0.index] }
    }

    /// The entries with those of one adapter after one another, the adapter of the oldest request
    /// first.
    private static func byAdapter(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest]
    ) -> [ScheduledRequest] {
        let first = running[scheduled[0].index].adapter
        if scheduled.allSatisfy({ running[$0.index].adapter == first }) { return scheduled }
        var places: [AdapterVersion?: Int] = [:]
        var groups: [[ScheduledRequest]] = []
        for entry in scheduled {
            let adapter = running[entry.index].adapter
            if let place = places[adapter] {
                groups[place].append(entry)
            } else {
                places[adapter] = groups.count
                groups.append([entry])
            }
        }
        return groups.flatMap { $0 }
    }

    /// A token for each row of logits.
    private func draw(
        _ logits_NV: Tensor, for requests: [ActiveRequest]
    ) throws(RolloutError) -> [ChosenToken] {
        forbidStops(logits_NV, requests)
        return try Self.checked(sample(logits_NV, requests.map(\.nextChoice)), for: requests)
    }

    /// Takes the stop ids out of the distribution of responses that must go on.
    private func forbidStops(_ logits_NV: Tensor, _ requests: [ActiveRequest]) {
        let places = requests.enumerated().flatMap { row, active in
            active.forbiddenTokens(below: logits_NV.columns).map { (row: row, token: $0) }
        }
        forbid(places, in: logits_NV)
    }

    /// The tokens of these requests' rows, which come first.
    private static func checked(
        _ drawn: (tokens: [Int32], logProbabilities: [Float]), for requests: [ActiveRequest]
    ) throws(RolloutError) -> [ChosenToken] {
        var choices: [ChosenToken] = []
        for (row, active) in requests.enumerated() {
            guard drawn.tokens[row] >= 0, drawn.logProbabilities[row].isFinite else {
                throw RolloutError(
                    "Request \(active.request.id) has no distribution to draw the token at "
                        + "position \(active.tokens.count) from: the model's logits are not "
                        + "numbers; its weights hold some that are none, or training diverged.")
            }
            choices.append(
                ChosenToken(
                    token: drawn.tokens[row], logProbability: drawn.logProbabilities[row]))
        }
        return choices
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
    /// The rows that each adapter serves; those of the base are in none.
    private(set) var adapterRows: [(name: String, rows: Range<Int>)] = []

    init(_ scheduled: [ScheduledRequest], of running: [ActiveRequest], blockSize: Int) {
        tableStride = scheduled.map { running[$0.index].table.count }.max() ?? 1
        for entry in scheduled {
            let active = running[entry.index]
            if let name = active.adapter?.name {
                addAdapter(name, rows: tokens.count..<tokens.count + entry.positions.count)
            }
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

    private mutating func addAdapter(_ name: String, rows: Range<Int>) {
        if let last = adapterRows.last, last.name == name {
            adapterRows[adapterRows.count - 1].rows = last.rows.lowerBound..<rows.upperBound
        } else {
            adapterRows.append((name, rows))
        }
    }

    func input(_ cache: KVCache) -> DecoderInput {
        let plan = PagedPlan(
            starts: starts, lengths: lengths, tables: tables, tableStride: tableStride,
            slots: slots)
        return DecoderInput(tokens: tokens, positions: positions, attention: .paged(plan, cache))
    }
}
