import Tensors

/// A request under way: its tokens so far, and where their keys and values lie.
package struct ActiveRequest: Sendable {
    package let request: RolloutRequest
    /// The adapter that serves it; `nil` is the base model.
    package let adapter: AdapterVersion?
    /// The most tokens that prompt and response may have together.
    package let lengthLimit: Int
    /// The prompt, then the response so far.
    package private(set) var tokens: [Int32]
    /// Of each token of the response.
    package private(set) var logProbabilities: [Float] = []
    /// The KV blocks in order.
    package internal(set) var table: [Int32] = []
    /// Tokens whose keys and values are in the blocks, or will be after this step.
    package internal(set) var computedCount = 0
    /// Full blocks that the pool knows.
    var publishedCount = 0
    /// The prefix that these blocks make; `nil` before the request runs.
    var prefix: PrefixID?

    /// A request that has not begun.
    package init(_ request: RolloutRequest, adapter: AdapterVersion?, maxModelLength: Int) {
        self.request = request
        self.adapter = adapter
        let room = max(0, maxModelLength - request.prompt.count)
        lengthLimit = request.prompt.count + min(request.sampling.maxTokens, room)
        tokens = request.prompt
    }

    /// Tokens of the response so far.
    package var responseCount: Int { tokens.count - request.prompt.count }

    /// The most tokens whose keys and values are ever needed: all but the last.
    package var cachedTokenLimit: Int { lengthLimit - 1 }

    /// Adds a chosen token.
    ///
    /// - Returns: why the response is over, `nil` when it goes on.
    mutating func append(_ choice: ChosenToken) -> FinishReason? {
        tokens.append(choice.token)
        logProbabilities.append(choice.logProbability)
        if request.sampling.isStop(choice.token) { return .stop }
        return tokens.count >= lengthLimit ? .length : nil
    }

    /// Forgets where keys and values lie; the tokens stay.
    mutating func putBack() {
        table = []
        computedCount = 0
        publishedCount = 0
        prefix = nil
    }

    func completion(_ reason: FinishReason) -> Completion {
        Completion(
            requestID: request.id, tokens: Array(tokens[request.prompt.count...]),
            logProbabilities: logProbabilities, finishReason: reason,
            adapterVersion: adapter?.version)
    }
}

extension ActiveRequest {
    /// How the next token is chosen.
    var nextChoice: TokenChoice {
        let sampling = request.sampling
        let uniform = CounterRandom(seed: sampling.seed)
            .uniform(stream: request.id, position: UInt64(tokens.count))
        return TokenChoice(
            temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP,
            uniform: uniform)
    }

    /// The tokens that may not be chosen next: the stop ids of a response that must go on.
    func forbiddenTokens(below limit: Int) -> [Int32] {
        guard request.sampling.forbidsStop(afterTokens: responseCount) else { return [] }
        return request.sampling.stopIDs.filter { $0 >= 0 && $0 < limit }
    }

    /// How many these are.
    func forbiddenCount(below limit: Int) -> Int {
        guard request.sampling.forbidsStop(afterTokens: responseCount) else { return 0 }
        return request.sampling.stopIDs.count { $0 >= 0 && $0 < limit }
    }
}

/// A token that was drawn for a request.
package struct ChosenToken: Sendable, Equatable {
    package let token: Int32
    /// Natural logarithm of its probability.
    package let logProbability: Float

    package init(token: Int32, logProbability: Float) {
        self.token = token
        self.logProbability = logProbability
    }
}
