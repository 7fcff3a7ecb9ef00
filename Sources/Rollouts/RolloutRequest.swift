/// How the tokens of one response are chosen, and when it ends.
package struct SamplingSettings: Sendable, Equatable {
    /// What logits are divided by; 0 takes the most probable token.
    package var temperature: Float
    /// Keeps this many of the most probable tokens; 0 or less keeps all.
    package var topK: Int
    /// Keeps the smallest set of most probable tokens with at least this mass; 1 keeps all.
    package var topP: Float
    /// The most tokens a response may have, its stop id included.
    package var maxTokens: Int
    /// Stop ids have probability 0 before this many tokens.
    package var minTokens: Int
    /// Ids that end a response.
    package var stopIDs: Set<Int32>
    /// Whether stop ids are tokens like any other: the response then always has `maxTokens`.
    package var ignoreEOS: Bool
    /// With the request's id and the token's position, the key of all randomness.
    package var seed: UInt64

    package init(
        temperature: Float = 1, topK: Int = 0, topP: Float = 1, maxTokens: Int,
        minTokens: Int = 0, stopIDs: Set<Int32> = [], ignoreEOS: Bool = false, seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.maxTokens = maxTokens
        self.minTokens = minTokens
        self.stopIDs = stopIDs
        self.ignoreEOS = ignoreEOS
        self.seed = seed
    }

    /// Whether `token` ends a response.
    func isStop(_ token: Int32) -> Bool {
        !ignoreEOS && stopIDs.contains(token)
    }

    /// Whether stop ids may not be chosen after `count` tokens of response.
    func forbidsStop(afterTokens count: Int) -> Bool {
        !ignoreEOS && count < minTokens
    }
}

/// One response that is wanted for one prompt.
package struct RolloutRequest: Sendable, Equatable {
    /// Names the request among those that are under way; a key of its randomness.
    package var id: UInt64
    /// Token ids, at least one.
    package var prompt: [Int32]
    package var sampling: SamplingSettings
    /// The name of a registered adapter; `nil` is the base model.
    package var adapter: String?

    package init(
        id: UInt64, prompt: [Int32], sampling: SamplingSettings, adapter: String? = nil
    ) {
        self.id = id
        self.prompt = prompt
        self.sampling = sampling
        self.adapter = adapter
    }
}
