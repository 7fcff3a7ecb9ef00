import Settings

/// Dynamic sampling, https://arxiv.org/abs/2503.14476: groups whose responses are all worth the
/// same teach nothing, and are replaced by those of further prompts
/// (`algorithm.filter_groups.*`).
package struct GroupFilterSettings: Sendable {
    /// What must differ within a group: `score`, `acc`, or another number that the reward gives.
    package let metric: String
    /// Batches that a step may sample until it is full; nil for no limit.
    package let maxBatches: Int?

    /// Reads the keys below `algorithm`; nil where no group is left out.
    ///
    /// - Parameter takesKL: whether the reward has a KL taken from it.
    static func read(_ reader: SettingsReader, takesKL: Bool) throws(SettingsError)
        -> GroupFilterSettings?
    {
        let scope = reader.scope("filter_groups")
        let isOn = try scope.bool(
            "enable", default: false,
            "Replace groups whose responses are all worth the same by those of further prompts.")
        let metric = try scope.optionalString(
            "metric",
            "What must differ within a group: score, acc (the score where the reward gives no"
                + " acc), or another number that the reward gives; null for score.")
        let limit = try scope.int(
            "max_num_gen_batches", default: 0,
            "Batches that a step may sample until it is full; 0 or less for no limit.")
        scope.ignored(
            "max_inflight_gen_batches", because: "a step samples one batch after the other")
        guard isOn else {
            scope.unusedIfSet(
                ["metric", "max_num_gen_batches"], because: "filter_groups.enable is false")
            return nil
        }
        if metric == "seq_final_reward", takesKL {
            throw reader.conflict(
                ["filter_groups.metric", "use_kl_in_reward"],
                "groups are chosen before the KL is known, so set the first to score")
        }
        let names = ["seq_reward", "seq_final_reward", nil]
        return GroupFilterSettings(
            metric: names.contains(metric) ? "score" : metric ?? "score",
            maxBatches: limit <= 0 ? nil : limit)
    }
}
