/// What one step does for one running request.
package struct ScheduledRequest: Sendable, Equatable {
    /// The request's place in `Scheduler.running`.
    package let index: Int
    /// The tokens whose keys and values this step computes.
    package let positions: Range<Int>
    /// Whether a token is drawn after the last of them.
    package let samples: Bool
}

/// What a scheduler has done so far.
package struct ScheduleCounts: Sendable, Equatable {
    package var steps = 0
    /// Tokens that went through the model.
    package var computedTokens = 0
    /// Tokens whose keys and values were found in the cache instead.
    package var reusedTokens = 0
    /// Tokens of responses.
    package var sampledTokens = 0
    /// How often a running request lost its blocks to an older one.
    package var preemptions = 0
}

/// Decides what each step computes (continuous batching; Orca, OSDI 2022).
///
/// Requests run in the order of their arrival. When blocks run out, the youngest running request
/// is put back in front of those that wait, keeping its tokens; so `running` followed by the
/// waiting ones is always in order of arrival, the oldest always advances, and every request ends.
package struct Scheduler: Sendable {
    /// The most requests that run at once.
    package let maxSequences: Int
    /// The most tokens a step.
    package let maxBatchedTokens: Int
    /// Whether a request's tokens may be split over steps.
    package let chunksPrompts: Bool
    private let reusesPrefixes: Bool
    package private(set) var pool: BlockPool
    /// Requests that hold blocks, the oldest first.
    package private(set) var running: [ActiveRequest] = []
    private var waiting = RequestQueue()
    package private(set) var counts = ScheduleCounts()

    /// A scheduler without requests.
    ///
    /// - Parameter chunksPrompts: whether a request's known tokens may be split over steps;
    ///   otherwise none may have more than `maxBatchedTokens`.
    package init(
        maxSequences: Int, maxBatchedTokens: Int, chunksPrompts: Bool = true,
        reusesPrefixes: Bool = true, pool: BlockPool
    ) {
        // A request that runs without a token in most steps would only hold blocks.
        self.maxSequences = min(maxSequences, maxBatchedTokens)
        self.maxBatchedTokens = maxBatchedTokens
        self.chunksPrompts = chunksPrompts
        self.reusesPrefixes = reusesPrefixes
        self.pool = pool
    }

    /// Requests that have not ended.
    package var requestCount: Int { running.count + waiting.count }

    /// Whether the next step can only give each running request its next token, or to some none.
    package var onlyDecodesNext: Bool {
        (waiting.isEmpty || running.count >= maxSequences)
            && running.allSatisfy { $0.tokens.count - $0.computedCount == 1 }
    }

    /// Adds a request behind all others. It must fit the pool alone by the next `schedule`.
    package mutating func submit(_ request: ActiveRequest) {
        waiting.append(request)
    }

    /// Whether a request that has not ended satisfies `predicate`.
    package func contains(where predicate: (ActiveRequest) -> Bool) -> Bool {
        running.contains(where: predicate) || waiting.all.contains(where: predicate)
    }

    /// Drops a request.
    ///
    /// - Returns: whether there was one with this id.
    package mutating func cancel(id: UInt64) -> Bool {
        guard let index = running.firstIndex(where: { $0.request.id == id }) else {
            return waiting.remove(id: id)
        }
        pool.release(running.remove(at: index).table)
        return true
    }

    /// Drops all requests.
    package mutating func cancelAll() {
        for request in running.reversed() { pool.release(request.table) }
        running.removeAll()
        waiting.removeAll()
    }

    /// The most blocks that the requests can use at once.
    package var wantedBlockCount: Int {
        var needs = running.map { pool.blockCount(forTokens: $0.cachedTokenLimit) }
        needs += waiting.all.map { pool.blockCount(forTokens: $0.cachedTokenLimit) }
        if needs.count > maxSequences { needs.sort(by: >) }
        return needs.prefix(maxSequences).reduce(0, +)
    }

    /// Puts all running requests back and goes on with other blocks, which hold nothing yet.
    package mutating func replacePool(_ newPool: BlockPool) {
        while let request = running.popLast() { putBack(request) }
        pool = newPool
    }

    /// Chooses the work of the next step; `commit` must follow.
    ///
    /// A block that is known as a prefix from here on is written in this very step. A younger
    /// request of the step may share it at once: a layer writes all new keys and values before any
    /// of its tokens attends.
    ///
    /// - Returns: at most one entry a running request, in their order; empty without requests.
    package mutating func schedule() -> [ScheduledRequest] {
        var scheduled: [ScheduledRequest] = []
        scheduled.reserveCapacity(min(maxSequences, requestCount))
        var budget = maxBatchedTokens
        let preemptionsBefore = counts.preemptions
        var index = 0
        while index < running.count, budget > 0 {
            let wanted = running[index].tokens.count - running[index].computedCount
            let end = running[index].computedCount + min(wanted, budget)
            guard makeRoom(at: index, forTokens: end) else { break }
            scheduled.append(advance(index, to: end))
            budget -= scheduled[index].positions.count
            index += 1
        }
        if counts.preemptions == preemptionsBefore {
            while budget > 0, admit(within: budget) {
                let index = running.count - 1
                let known = running[index].tokens.count
                let end = min(known, running[index].computedCount + budget)
                guard makeRoom(at: index, forTokens: end) else {
                    preconditionFailure("A request was admitted without room.")
                }
                scheduled.append(advance(index, to: end))
                budget -= scheduled[index].positions.count
            }
        }
        precondition(!scheduled.isEmpty || requestCount == 0, "The blocks fit no request.")
        return scheduled
    }

    /// Takes what the step drew, and ends the requests that it completes.
    ///
    /// - Parameters:
    ///   - scheduled: what `schedule` returned.
    ///   - choices: one for each entry that samples, in their order.
    package mutating func commit(
        _ scheduled: [ScheduledRequest], _ choices: [ChosenToken]
    ) -> [Completion] {
        var completions: [Completion] = []
        var ended: [Int] = []
        var next = choices.makeIterator()
        for entry in scheduled where entry.samples {
            guard let choice = next.next() else {
                preconditionFailure("\(choices.count) tokens are too few for the step.")
            }
            counts.sampledTokens += 1
            guard let reason = running[entry.index].append(choice) else { continue }
            completions.append(running[entry.index].completion(reason))
            ended.append(entry.index)
        }
        for index in ended.reversed() { pool.release(running.remove(at: index).table) }
        counts.steps += 1
        return completions
    }

    /// Gives the request at `index` blocks for `count` tokens, putting back younger ones until
    /// there are enough.
    ///
    /// - Returns: false when the request itself was put back.
    private mutating func makeRoom(at index: Int, forTokens count: Int) -> Bool {
        let needed = pool.blockCount(forTokens: count)
        while running[index].table.count < needed {
            if let block = pool.allocate() {
                running[index].table.append(block)
                continue
            }
            let youngest = running.removeLast()
            counts.preemptions += 1
            putBack(youngest)
            if running.count == index { return false }
        }
        return true
    }

    private mutating func putBack(_ request: ActiveRequest) {
        pool.release(request.table)
        var request = request
        request.putBack()
        waiting.prepend(request)
    }

    /// Moves the first waiting request to the running ones if there is a place for it, and blocks
    /// for all its tokens and one more for each running request that can still grow. Where requests
    /// are not split, what it has to compute must fit `budget` too.
    private mutating func admit(within budget: Int) -> Bool {
        guard running.count < maxSequences, var request = waiting.first else { return false }
        var reused: (table: [Int32], prefix: PrefixID)?
        if reusesPrefixes {
            // The last token is computed in any case: the next one is drawn from its state.
            let limit = (request.tokens.count - 1) / pool.blockSize
            let root = pool.root(of: request.adapter)
            reused = pool.reuse(request.tokens, after: root, limit: limit)
        }
        let table = reused?.table ?? []
        let needed = pool.blockCount(forTokens: request.tokens.count) - table.count
        let uncomputed = request.tokens.count - table.count * pool.blockSize
        guard needed + growingCount <= pool.availableCount, chunksPrompts || uncomputed <= budget
        else {
            pool.release(table)
            return false
        }
        request.table = table
        request.publishedCount = table.count
        request.prefix = reused?.prefix
        request.computedCount = table.count * pool.blockSize
        counts.reusedTokens += request.computedCount
        running.append(request)
        _ = waiting.popFirst()
        return true
    }

    /// Running requests that may need another block.
    private var growingCount: Int {
        running.count { $0.table.count < pool.blockCount(forTokens: $0.cachedTokenLimit) }
    }

    /// Counts the tokens up to `end` as computed, and makes the blocks that they fill known.
    private mutating func advance(_ index: Int, to end: Int) -> ScheduledRequest {
        let start = running[index].computedCount
        running[index].computedCount = end
        counts.computedTokens += end - start
        if var prefix = running[index].prefix {
            for block in running[index].publishedCount..<end / pool.blockSize {
                let first = block * pool.blockSize
                prefix = pool.publish(
                    running[index].table[block], after: prefix,
                    running[index].tokens[first..<first + pool.blockSize])
            }
            running[index].publishedCount = end / pool.blockSize
            running[index].prefix = prefix
        }
        return ScheduledRequest(
            index: index, positions: start..<end, samples: end == running[index].tokens.count)
    }
}
