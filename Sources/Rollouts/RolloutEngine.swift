package import Models
import Tensors

/// A step that was given to the model.
private struct StepUnderWay {
    let scheduled: [ScheduledRequest]
    let draws: StepDraws
    let start: ContinuousClock.Instant
    /// Requests that were dropped meanwhile.
    var cancelled: Set<UInt64> = []
}

/// Serves requests from one base model with continuous batching over a paged KV cache.
///
/// What a request gets depends on its prompt, settings, id and adapter alone, not on what shares
/// its steps. The engine belongs to the thread that runs the model.
package final class RolloutEngine {
    package let settings: EngineSettings
    /// The longest prompt and response together, in tokens.
    package let maxModelLength: Int
    private var runner: Runner
    private let checks: RequestChecks
    private let blockLimit: Int
    private var scheduler: Scheduler
    private var cache: KVCache?
    private var adapters: [String: EngineAdapter] = [:]
    /// The requests under way.
    private var requestIDs: Set<UInt64> = []
    /// Whether requests came since the cache was last measured against them.
    private var hasNewRequests = false
    /// A decode step that a GPU computes while the caller handles what the step before ended.
    private var underWay: StepUnderWay?
    /// How long the steps took so far.
    package private(set) var times = EngineTimes()

    /// An engine without requests; the cache is allocated when the first ones run.
    ///
    /// - Throws: `RolloutError` for settings that are impossible for the model.
    package init(model: Decoder, settings: EngineSettings) throws(RolloutError) {
        self.settings = settings
        maxModelLength = try settings.validated(for: model)
        blockLimit = try settings.blockLimit(for: model)
        var decoder = model
        decoder.activations = settings.activations
        runner = Runner(
            decoder: decoder, maxSequences: settings.maxSequences, maxModelLength: maxModelLength)
        checks = RequestChecks(
            vocabularySize: model.config.vocabularySize, maxModelLength: maxModelLength,
            blockSize: settings.blockSize, blockLimit: blockLimit)
        scheduler = Scheduler(
            maxSequences: settings.maxSequences, maxBatchedTokens: settings.maxBatchedTokens,
            chunksPrompts: settings.chunksPrompts, reusesPrefixes: settings.reusesPrefixes,
            pool: BlockPool(capacity: 0, blockSize: settings.blockSize))
    }

    /// Requests that have not ended.
    package var requestCount: Int {
        scheduler.requestCount - (underWay?.cancelled.count ?? 0)
    }
    /// What the engine has done since it was made.
    package var counts: ScheduleCounts { scheduler.counts }
    /// How often the model was run: once a step.
    package var forwardPasses: Int { runner.forwardPasses }
    /// Blocks that the cache has room for now.
    package var cacheBlockCount: Int { scheduler.pool.capacity }

    /// Makes an adapter known, in place of an earlier version of the same name.
    ///
    /// - Throws: `RolloutError` while requests of the earlier version are under way.
    package func register(_ adapter: EngineAdapter) throws(RolloutError) {
        let name = adapter.identity.name
        let isInUse = scheduler.contains { $0.adapter?.name == name }
        guard !isInUse || adapters[name]?.identity == adapter.identity else {
            throw RolloutError(
                "The adapter '\(name)' cannot become version \(adapter.identity.version) while "
                    + "requests of its present version are under way.")
        }
        if let earlier = adapters[name], !earlier.weights.isSame(as: adapter.weights) {
            runner.graphs?.remove(adapter: name)
        }
        adapters[name] = adapter
    }

    /// Adds a request behind all others.
    ///
    /// - Throws: `RolloutError` when it cannot be served; nothing has changed then.
    package func submit(_ request: RolloutRequest) throws(RolloutError) {
        try checks.check(request)
        var version: AdapterVersion?
        if let name = request.adapter {
            guard let adapter = adapters[name] else {
                throw RolloutError(
                    "Request \(request.id) names the adapter '\(name)', which is not registered.")
            }
            version = adapter.identity
        }
        guard requestIDs.insert(request.id).inserted else {
            throw RolloutError("Request \(request.id) is under way already; ids must differ.")
        }
        scheduler.submit(
            ActiveRequest(request, adapter: version, maxModelLength: maxModelLength))
        hasNewRequests = true
    }

    /// Runs the model once, and returns the responses that this ended. On a GPU the next step is
    /// under way then, where all that is to be computed is known.
    ///
    /// - Throws: `RolloutError` when logits are not numbers; all requests are dropped then.
    package func step() throws(RolloutError) -> [Completion] {
        guard requestCount > 0 else { return [] }
        do throws(RolloutError) {
            let completions: [Completion]
            if let step = underWay {
                underWay = nil
                completions = try finish(step)
            } else {
                completions = try finish(try start())
            }
            if startsAhead { underWay = try start() }
            return completions
        } catch {
            cancelAll()
            // Blocks are known as prefixes before they are filled, and this step may not have
            // filled them.
            scheduler.replacePool(
                BlockPool(capacity: scheduler.pool.capacity, blockSize: settings.blockSize))
            throw error
        }
    }

    /// Whether the next step may start before the caller has seen the last one's responses: what
    /// waits comes in at the next step that is not.
    private var startsAhead: Bool {
        guard let graphs = runner.graphs, requestCount > 0, !hasNewRequests else { return false }
        return scheduler.onlyDecodesNext && graphs.serve(scheduler.running)
    }

    private func start() throws(RolloutError) -> StepUnderWay {
        let start = ContinuousClock.now
        let cache = fittedCache()
        let scheduled = scheduler.schedule()
        let draws = try runner.start(
            scheduled, of: scheduler.running, cache: cache, adapters: adapters)
        return StepUnderWay(scheduled: scheduled, draws: draws, start: start)
    }

    private func finish(_ step: StepUnderWay) throws(RolloutError) -> [Completion] {
        let choices = try runner.finish(step.draws, step.scheduled, of: scheduler.running)
        times.add(step.scheduled, of: scheduler.running, since: step.start)
        let ended = scheduler.commit(step.scheduled, choices)
        let endedIDs = Set(ended.map(\.requestID))
        for id in step.cancelled.subtracting(endedIDs) { _ = scheduler.cancel(id: id) }
        let completions = ended.filter { !step.cancelled.contains($0.requestID) }
        for completion in completions { requestIDs.remove(completion.requestID) }
        return completions
    }

    /// Drops a request.
    ///
    /// - Returns: whether one with this id was under way.
    @discardableResult
    package func cancel(_ id: UInt64) -> Bool {
        guard requestIDs.remove(id) != nil else { return false }
        guard underWay == nil else {
            // The step names requests by their places.
            underWay?.cancelled.insert(id)
            return true
        }
        return scheduler.cancel(id: id)
    }

    /// Drops all requests.
    package func cancelAll() {
        underWay = nil
        scheduler.cancelAll()
        requestIDs.removeAll()
    }

    /// Gives the cache's memory back to the system, and forgets all cached prefixes. Requests
    /// under way go on later with the tokens that they have.
    ///
    /// Whoever changes the base model's weights in place must call this: unlike an adapter they
    /// have no version that tells old keys and values apart.
    package func releaseCache() {
        // What a step under way computes is lost with its blocks, and is computed again.
        for id in underWay?.cancelled ?? [] { _ = scheduler.cancel(id: id) }
        underWay = nil
        replaceCache(blocks: 0)
        hasNewRequests = true
    }

    /// Serves `requests` to their end.
    ///
    /// - Parameters:
    ///   - adapter: what those run with that name none; the base model when nil.
    ///   - onCompletion: called with each response when it ends, while others go on.
    /// - Returns: the responses in the order of `requests`.
    /// - Throws: `RolloutError`, or what `onCompletion` throws; no request is left under way.
    package func generate(
        _ requests: [RolloutRequest], adapter: EngineAdapter? = nil,
        onCompletion: (Completion) throws -> Void = { _ in }
    ) throws -> [Completion] {
        guard requestCount == 0 else {
            throw RolloutError(
                "A batch cannot be generated while \(requestCount) requests are under way.")
        }
        if let adapter { try register(adapter) }
        var completions: [UInt64: Completion] = [:]
        do {
            for var request in requests {
                request.adapter = request.adapter ?? adapter?.identity.name
                try submit(request)
            }
            while requestCount > 0 {
                for completion in try step() {
                    completions[completion.requestID] = completion
                    try onCompletion(completion)
                }
            }
        } catch {
            cancelAll()
            throw error
        }
        return requests.compactMap { completions[$0.id] }
    }

    /// The cache, first made larger if the requests can use more blocks than it has.
    private func fittedCache() -> KVCache {
        let capacity = scheduler.pool.capacity
        if hasNewRequests {
            hasNewRequests = false
            let wanted = min(scheduler.wantedBlockCount, blockLimit)
            if wanted > capacity {
                // Running requests lose their blocks and are computed anew, so a cache that grows
                // under them grows by at least half to make that rare.
                let isBusy = !scheduler.running.isEmpty
                let roomy = isBusy ? min(capacity + capacity / 2, blockLimit) : 0
                replaceCache(blocks: max(wanted, roomy))
            }
        }
        guard let cache else { preconditionFailure("Requests run without a cache.") }
        return cache
    }

    private func replaceCache(blocks: Int) {
        scheduler.replacePool(BlockPool(capacity: blocks, blockSize: settings.blockSize))
        if cache != nil {
            cache = nil
            runner.graphs?.removeAll()
            // The next cache is of another size: the memory pool would keep the old one for nothing.
            runner.decoder.device.releaseUnusedMemory()
        }
        if blocks > 0 {
            cache = KVCache(runner.decoder, blocks: blocks, blockSize: settings.blockSize)
        }
    }
}
