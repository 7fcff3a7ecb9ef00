import Settings

/// How many samples are computed at once; it changes memory and speed, never the result.
package enum MicroBatchSettings: Sendable, Equatable {
    /// So many samples (prompt with response) at once.
    case samples(Int)
    /// As many samples as together have so many tokens.
    case tokens(Int)

    /// The names of the three keys that one group uses for this.
    struct Keys {
        let size: String
        let dynamic: String
        let tokens: String

        /// The actor's update.
        static let update = Keys(
            size: "ppo_micro_batch_size_per_gpu", dynamic: "use_dynamic_bsz",
            tokens: "ppo_max_token_len_per_gpu")
        /// The log-probabilities of reference and rollout.
        static let logProbabilities = Keys(
            size: "log_prob_micro_batch_size_per_gpu", dynamic: "log_prob_use_dynamic_bsz",
            tokens: "log_prob_max_token_len_per_gpu")
        /// Supervised fine-tuning.
        static let supervised = Keys(
            size: "micro_batch_size_per_gpu", dynamic: "use_dynamic_bsz",
            tokens: "max_token_len_per_gpu")
    }

    /// Reads one group's keys; `inherited` stands when none of them is given.
    ///
    /// verl refuses a run that sets none; here a budget of tokens is the default.
    init(
        _ reader: SettingsReader, _ keys: Keys, inherited: MicroBatchSettings = .tokens(16384)
    ) throws(SettingsError) {
        var inheritedSize: Int?
        var inheritedTokens = 16384
        switch inherited {
        case .samples(let size): inheritedSize = size
        case .tokens(let budget): inheritedTokens = budget
        }
        let size = try reader.optionalInt(
            keys.size, default: reader.isGiven(keys.dynamic) ? nil : inheritedSize, in: .atLeast(1),
            "Samples that are computed at once; null to go by tokens.")
        let dynamic = try reader.bool(
            keys.dynamic, default: size == nil,
            "Compute as many samples at once as fit the budget of tokens.")
        let tokens = try reader.int(
            keys.tokens, default: inheritedTokens, in: .atLeast(1),
            "Budget of tokens that are computed at once.")
        if dynamic {
            if reader.isGiven(keys.size), size != nil {
                throw reader.conflict(
                    [keys.size, keys.dynamic],
                    "these contradict each other, so keep the number of samples or the budget of"
                        + " tokens")
            }
            self = .tokens(tokens)
            return
        }
        guard let size else {
            throw reader.conflict(
                [keys.dynamic, keys.size],
                "set the number of samples to compute at once, or leave both keys out to go by"
                    + " tokens")
        }
        if reader.isGiven(keys.tokens) { Self.noteUnused(keys, reader) }
        self = .samples(size)
    }

    private static func noteUnused(_ keys: Keys, _ reader: SettingsReader) {
        reader.note(
            "'\(reader.fullKey(keys.tokens))' has no effect: samples are counted by"
                + " '\(reader.fullKey(keys.size))'.")
    }
}
