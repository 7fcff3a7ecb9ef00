/// The conditions under which the engine takes a request.
struct RequestChecks: Sendable {
    let vocabularySize: Int
    let maxModelLength: Int
    let blockSize: Int
    let blockLimit: Int

    /// - Throws: `RolloutError` naming the request and what is wrong with it.
    func check(_ request: RolloutRequest) throws(RolloutError) {
        func refuse(_ reason: String) -> RolloutError {
            RolloutError("Request \(request.id) cannot be served: \(reason).")
        }
        if let reason = promptFault(request.prompt) ?? samplingFault(request.sampling) {
            throw refuse(reason)
        }
        let room = maxModelLength - request.prompt.count
        let length = request.prompt.count + min(request.sampling.maxTokens, room)
        let blocks = (length - 1 + blockSize - 1) / blockSize
        guard blocks <= blockLimit else {
            throw refuse(
                "its \(length) tokens take \(blocks) KV blocks, and the cache's limit is "
                    + "\(blockLimit)")
        }
    }

    private func promptFault(_ prompt: [Int32]) -> String? {
        if prompt.isEmpty { return "the prompt is empty" }
        if prompt.count >= maxModelLength {
            return "the prompt has \(prompt.count) tokens, and a whole sequence may have "
                + "\(maxModelLength)"
        }
        for (position, token) in prompt.enumerated() where token < 0 || token >= vocabularySize {
            return "the prompt's token \(token) at position \(position) is outside the vocabulary "
                + "of \(vocabularySize)"
        }
        return nil
    }

    private func samplingFault(_ sampling: SamplingSettings) -> String? {
        if sampling.maxTokens < 1 { return "maxTokens is \(sampling.maxTokens), not at least 1" }
        if sampling.minTokens < 0 || sampling.minTokens > sampling.maxTokens {
            return "minTokens is \(sampling.minTokens), not between 0 and maxTokens "
                + "\(sampling.maxTokens)"
        }
        if !(sampling.temperature >= 0 && sampling.temperature.isFinite) {
            return "the temperature is \(sampling.temperature), not at least 0"
        }
        if !(sampling.topP > 0 && sampling.topP <= 1) {
            return "topP is \(sampling.topP), not in (0, 1]"
        }
        let stops = sampling.stopIDs.count { $0 >= 0 && $0 < vocabularySize }
        if sampling.forbidsStop(afterTokens: 0), stops == vocabularySize {
            return "minTokens forbids every token of the vocabulary"
        }
        return nil
    }
}
