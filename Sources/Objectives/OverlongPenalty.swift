/// DAPO's soft punishment of overlong responses, https://arxiv.org/abs/2503.14476: nothing up to
/// `maxLength - bufferLength` tokens, from there on a straight line down to -`factor` at `maxLength`,
/// as in verl's DAPO reward manager.
package struct OverlongPenalty: Sendable, Equatable {
    /// The longest response, in tokens (`data.max_response_length`, `reward_kwargs.max_resp_len`).
    package let maxLength: Int
    /// The tokens before it over which the penalty grows (`overlong_buffer.len`).
    package let bufferLength: Int
    /// The penalty at the longest response (`overlong_buffer.penalty_factor`).
    package let factor: Double

    /// A penalty that is checked.
    ///
    /// - Throws: when the buffer is empty or longer than the longest response, or the factor negative.
    package init(maxLength: Int, bufferLength: Int, factor: Double) throws(ObjectiveError) {
        guard bufferLength > 0, bufferLength <= maxLength else {
            throw ObjectiveError(
                "overlong_buffer.len must be at least 1 and at most the longest response "
                    + "(\(maxLength) tokens), but it is \(bufferLength).")
        }
        try checkSetting("overlong_buffer.penalty_factor", factor, "at least 0") { $0 >= 0 }
        self.maxLength = maxLength
        self.bufferLength = bufferLength
        self.factor = factor
    }

    /// What is added to the reward of a response: min(-(length - (max - buffer)) / buffer factor, 0).
    ///
    /// - Parameter length: of the response, in tokens.
    package func penalty(length: Int) -> Double {
        let excess = max(length - (maxLength - bufferLength), 0)
        return 0 - Double(excess) / Double(bufferLength) * factor
    }
}
