import Settings

/// How many samples are computed at once; it changes memory and speed, and the result only of losses
/// that look at a whole micro-batch (`clip_cov`, `kl_cov`).
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
        /// An earlier name of `size`.
        var earlierSize: String?

        /// The update of the actor, or of the critic.
        static let update = Keys(
            size: "ppo_micro_batch_size_per_gpu", dynamic: "use_dynamic_bsz",
            tokens: "ppo_max_token_len_per_gpu", earlierSize: "ppo_micro_batch_size")
        /// The log-probabilities of reference and rollout.
        static let logProbabilities = Keys(
            size: "log_prob_micro_batch_size_per_gpu", dynamic: "log_prob_use_dynamic_bsz",
            tokens: "log_prob_max_token_len_per_gpu", earlierSize: "log_prob_micro_batch_size")
        /// Supervised fine-tuning.
        static let supervised = Keys(
            size: "micro_batch_size_per_gpu", dynamic: "use_dynamic_bsz",
            tokens: "max_token_len_per_gpu", earlierSize: "micro_batch_size")
    }

    /// Reads one group's keys; `inherited` stands when none of them is given.
    ///
    /// verl refuses a run that sets none; here a budget of tokens is the default.
    init(
        _ reader: SettingsReader, _ keys: Keys, inherited: MicroBatchSettings? = nil
    ) throws(SettingsError) {
        let ofActor = "as actor_rollout_ref.actor."
        let names = Keys.update
        var inheritedSize: Int?
        var inheritedTokens = 16384
        switch inherited {
        case .samples(let size): inheritedSize = size
        case .tokens(let budget): inheritedTokens = budget
        case nil: break
        }
        let earlierSize = try Self.earlierSize(keys, reader)
        let inherits = inherited != nil
        let size = try reader.derived(inherits ? ofActor + names.size : nil).optionalInt(
            keys.size,
            default: reader.isGiven(keys.dynamic) ? earlierSize : earlierSize ?? inheritedSize,
            in: .atLeast(1), "Samples that are computed at once; null to go by tokens.")
        let dynamic = try reader.derived("true unless \(keys.size) is set").bool(
            keys.dynamic, default: size == nil,
            "Compute as many samples at once as fit the budget of tokens.")
        let budgets = inherits ? reader.derived(ofActor + names.tokens) : reader
        let tokens = try budgets.int(
            keys.tokens, default: inheritedTokens, in: .atLeast(1),
            "Budget of tokens that are computed at once.")
        // verl, too, lets this key decide where both ways are given.
        if dynamic {
            for key in [keys.size, keys.earlierSize].compactMap(\.self) where !reader.isEmpty(key) {
                guard reader.isGiven(key) else { continue }
                reader.unused(key, because: "'\(reader.fullKey(keys.dynamic))' is true")
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
        if let earlierSize, earlierSize != size, let key = keys.earlierSize {
            throw reader.conflict([key, keys.size], "both mean the same, so keep the second")
        }
        reader.unusedIfSet(
            [keys.tokens], because: "'\(reader.fullKey(keys.dynamic))' is false")
        self = .samples(size)
    }

    /// With one device, the number for all of them and the number for each are the same.
    private static func earlierSize(_ keys: Keys, _ reader: SettingsReader) throws(SettingsError)
        -> Int?
    {
        guard let key = keys.earlierSize else { return nil }
        return try reader.optionalInt(key, in: .atLeast(1), "An earlier name of \(keys.size).")
    }
}
