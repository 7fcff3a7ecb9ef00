import Rollouts
import Testing

/// A scheduler with a pretended model: "keys and values" are a digest of all tokens so far, and the
/// next token is a function of it. A wrong block, a lost token or a shared block of another
/// prefix therefore shows at once.
struct Simulation {
    private(set) var scheduler: Scheduler
    private(set) var completions: [Completion] = []
    /// For each slot of the cache the digest of the prefix that ends there.
    private var slots: [UInt64]
    private var requests: [UInt64: (request: RolloutRequest, adapter: AdapterVersion?)] = [:]

    init(
        maxSequences: Int, maxBatchedTokens: Int, blocks: Int, blockSize: Int,
        chunksPrompts: Bool = true, reusesPrefixes: Bool = true
    ) {
        scheduler = Scheduler(
            maxSequences: maxSequences, maxBatchedTokens: maxBatchedTokens,
            chunksPrompts: chunksPrompts, reusesPrefixes: reusesPrefixes,
            pool: BlockPool(capacity: blocks, blockSize: blockSize))
        slots = Array(repeating: 0, count: blocks * blockSize)
    }

    mutating func submit(id: UInt64, prompt: [Int32], maxTokens: Int, adapter: String? = nil) {
        let request = RolloutRequest(
            id: id, prompt: prompt,
            sampling: SamplingSettings(maxTokens: maxTokens, stopIDs: [3]), adapter: adapter)
        let version = adapter.map { AdapterVersion(name: $0, version: 1) }
        requests[id] = (request, version)
        scheduler.submit(ActiveRequest(request, adapter: version, maxModelLength: 100))
    }

    mutating func replacePool(blocks: Int) {
        let blockSize = scheduler.pool.blockSize
        scheduler.replacePool(BlockPool(capacity: blocks, blockSize: blockSize))
        slots = Array(repeating: 0, count: blocks * blockSize)
    }

    /// One step of the scheduler and the pretended model.
    @discardableResult
    mutating func step() -> [ScheduledRequest] {
        let scheduled = scheduler.schedule()
        checkBounds(scheduled)
        for entry in scheduled { write(entry) }
        var choices: [ChosenToken] = []
        for entry in scheduled {
            checkCache(entry)
            guard entry.samples else { continue }
            let active = scheduler.running[entry.index]
            choices.append(Self.choice(after: active.tokens, active.adapter))
        }
        for completion in scheduler.commit(scheduled, choices) {
            check(completion)
            completions.append(completion)
        }
        checkReferences()
        return scheduled
    }

    mutating func cancel(id: UInt64) -> Bool {
        scheduler.cancel(id: id)
    }

    mutating func runToEnd() {
        while scheduler.requestCount > 0 { step() }
        checkAllBlocksFree()
    }

    func checkAllBlocksFree() {
        let pool = scheduler.pool
        #expect(pool.availableCount == pool.capacity)
        #expect((0..<Int32(pool.capacity)).allSatisfy { pool.references(to: $0) == 0 })
    }

    /// The limits hold, and the oldest request always advances.
    private func checkBounds(_ scheduled: [ScheduledRequest]) {
        #expect(scheduled.map(\.positions.count).reduce(0, +) <= scheduler.maxBatchedTokens)
        #expect(scheduled.count <= scheduler.maxSequences)
        #expect(scheduled.map(\.index) == Array(0..<scheduled.count))
        #expect(scheduled.allSatisfy { !$0.positions.isEmpty })
        let ids = scheduler.running.map(\.request.id)
        #expect(ids == ids.sorted(), "A younger request runs before an older one.")
        #expect(scheduler.chunksPrompts || scheduled.allSatisfy(\.samples))
        #expect(scheduled.isEmpty == (scheduler.requestCount == 0))
    }

    private mutating func write(_ entry: ScheduledRequest) {
        let active = scheduler.running[entry.index]
        for position in entry.positions {
            slots[slot(of: position, active)] = Self.digest(
                active.tokens[...position], active.adapter)
        }
    }

    /// Every token that an entry attends to is the request's own.
    private func checkCache(_ entry: ScheduledRequest) {
        let active = scheduler.running[entry.index]
        var wrong: [Int] = []
        var digest = Self.seed(active.adapter)
        for position in 0..<entry.positions.upperBound {
            digest = Self.extend(digest, active.tokens[position])
            if slots[slot(of: position, active)] != digest { wrong.append(position) }
        }
        #expect(wrong.isEmpty, "Request \(active.request.id) sees others' tokens.")
    }

    private func checkReferences() {
        let pool = scheduler.pool
        var references = [Int](repeating: 0, count: pool.capacity)
        for block in scheduler.running.flatMap(\.table) { references[Int(block)] += 1 }
        #expect(references == (0..<Int32(pool.capacity)).map { pool.references(to: $0) })
        #expect(pool.availableCount == references.count { $0 == 0 })
    }

    /// The response is what the pretended model gives without any scheduler.
    private func check(_ completion: Completion) {
        guard let (request, adapter) = requests[completion.requestID] else {
            Issue.record("Request \(completion.requestID) was never submitted.")
            return
        }
        var tokens = request.prompt
        var logProbabilities: [Float] = []
        repeat {
            let choice = Self.choice(after: tokens, adapter)
            tokens.append(choice.token)
            logProbabilities.append(choice.logProbability)
        } while logProbabilities.count < request.sampling.maxTokens && tokens.last != 3
        #expect(completion.tokens == Array(tokens[request.prompt.count...]))
        #expect(completion.logProbabilities == logProbabilities)
        #expect(completion.finishReason == (tokens.last == 3 ? .stop : .length))
        #expect(completion.adapterVersion == adapter?.version)
    }

    private func slot(of position: Int, _ active: ActiveRequest) -> Int {
        let size = scheduler.pool.blockSize
        return Int(active.table[position / size]) * size + position % size
    }

    private static func choice(after tokens: [Int32], _ adapter: AdapterVersion?) -> ChosenToken {
        let digest = digest(tokens[...], adapter)
        return ChosenToken(
            token: Int32(digest >> 32 & 15), logProbability: -Float(digest & 0xFFFF))
    }

    private static func digest(
        _ tokens: ArraySlice<Int32>, _ adapter: AdapterVersion?
    ) -> UInt64 {
        tokens.reduce(seed(adapter), extend)
    }

    private static func seed(_ adapter: AdapterVersion?) -> UInt64 {
        adapter == nil ? 1 : 2
    }

    private static func extend(_ digest: UInt64, _ token: Int32) -> UInt64 {
        var generator = SplitMix64(seed: digest &* 31 &+ UInt64(bitPattern: Int64(token)))
        return generator.next()
    }
}
