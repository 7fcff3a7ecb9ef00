extension CUDADevice {
    /// Words of a row's running softmax.
    private static let stateWidth = 8

    /// Goes on with one tile of each row's logits.
    ///
    /// - Parameters:
    ///   - logits: `[T, W]`, f32, before they are divided by the temperature: the columns of the
    ///     vocabulary from `firstToken` on.
    ///   - targets: `[T]`.
    ///   - state: `[T, 8]`, f32: the maximum, the sums of exp(l - maximum), of it times
    ///     l - maximum and of its square, and the target's logit.
    ///   - isFirst: whether this is the first tile; the state's content is undefined before it.
    func tokenLogProbabilityUpdate(
        logits: Tensor, firstToken: Int, targets: TokenIndices, temperature: Float, state: Tensor,
        isFirst: Bool
    ) {
        let (T, W) = (logits.rows, logits.columns)
        precondition(targets.count == T && state.count == T * Self.stateWidth)
        launch(
            "token_log_probability_update", of: .tokenLogProbability, grid: (T, 1, 1), block: 256,
            .long(W), .long(firstToken), .tensor(logits), .indices(targets),
            .float(1 / temperature), .tensor(state), .int(isFirst ? 1 : 0))
    }

    /// What the state says once every tile was met; each result is `[T]`, f32.
    func tokenLogProbabilityResults(
        state: Tensor, logProbabilities: Tensor, entropies: Tensor, squaredProbabilitySums: Tensor,
        lse: Tensor
    ) {
        launchFlat(
            "token_log_probability_results", of: .tokenLogProbability, count: state.rows, width: 1,
            .tensor(state), .tensor(logProbabilities), .tensor(entropies),
            .tensor(squaredProbabilitySums), .tensor(lse))
    }

    /// The loss's gradient by the logits of one tile, before they are divided by the temperature.
    ///
    /// - Parameters:
    ///   - logits: `[T, W]`, f32.
    ///   - entropies: `[T]`, f32; `lse` and the loss's derivatives the same.
    ///   - dlogits: `[T, W]`, receives; where it is f32 it may be `logits`.
    func tokenLogProbabilityBackward(
        logits: Tensor, firstToken: Int, targets: TokenIndices, temperature: Float,
        entropies: Tensor, lse: Tensor, dLogProbabilities: Tensor, dEntropies: Tensor,
        dlogits: Tensor
    ) {
        let (T, W) = (logits.rows, logits.columns)
        precondition(targets.count == T && dlogits.count == logits.count)
        launch(
            "token_log_probability_backward_\(dlogits.dataType.kernelSuffix)",
            of: .tokenLogProbability, grid: (T, 1, 1), block: 256,
            .long(W), .long(firstToken), .tensor(logits), .indices(targets),
            .float(1 / temperature), .tensor(entropies), .tensor(lse),
            .tensor(dLogProbabilities), .tensor(dEntropies), .tensor(dlogits))
    }
}
