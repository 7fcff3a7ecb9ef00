extension CUDADevice {
    /// A token for each row of logits and its log-probability; `sampling.h` says which.
    ///
    /// - Parameters:
    ///   - logits: `[S, V]`, f32.
    ///   - settings: `[S * 4]` words: a `ck_sampling` a row.
    ///   - results: `[S, 2]`, f32, receives the token as the bits of a 32-bit integer, -1 where the
    ///     row has no distribution, and the log-probability.
    package func sample(_ logits: Tensor, settings: TokenIndices, results: Tensor) {
        let (S, V) = (logits.rows, logits.columns)
        precondition(settings.count == S * 4 && results.count == S * 2)
        launch(
            "sample", of: .sampling, grid: (S, 1, 1), block: 1024,
            .long(V), .tensor(logits), .indices(settings), .tensor(results))
    }

    /// Takes tokens out of rows' distributions: `logits[rows[i], tokens[i]] = -infinity`.
    ///
    /// - Parameters:
    ///   - logits: `[S, V]`, f32.
    ///   - rows: `[n]`, each below S, or negative for a token that is not forbidden.
    ///   - tokens: `[n]`, each below V.
    package func forbid(_ tokens: TokenIndices, inRows rows: TokenIndices, of logits: Tensor) {
        precondition(rows.count == tokens.count && logits.dataType == .float32)
        precondition(Int(rows.maximum) < logits.rows && tokens.areWithin(logits.columns))
        launchFlat(
            "forbid_tokens", of: .sampling, count: tokens.count, width: 1,
            .long(logits.columns), .indices(rows), .indices(tokens), .tensor(logits))
    }
}
