import CKernels

/// How one token is chosen from its logits.
package struct TokenChoice: Sendable {
    /// 0 takes the most probable token.
    package var temperature: Float
    /// Keeps this many of the most probable tokens; 0 or less keeps all.
    package var topK: Int
    /// Keeps the smallest set of most probable tokens with at least this mass; 1 keeps all.
    package var topP: Float
    /// The one random number of this choice, in [0, 1).
    package var uniform: Float

    package init(temperature: Float, topK: Int, topP: Float, uniform: Float) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.uniform = uniform
    }

    /// The choice as a kernel of a device reads it.
    package var words: [Int32] {
        [
            Int32(bitPattern: temperature.bitPattern), Int32(clamping: topK),
            Int32(bitPattern: topP.bitPattern), Int32(bitPattern: uniform.bitPattern),
        ]
    }
}

/// A token for each row of `logits`, and its log-probability under the kept, renormalised
/// distribution (at temperature 0: under the softmax at temperature 1).
///
/// - Parameters:
///   - logits: `[S, V]`, f32. A token whose logit is -infinity is never chosen.
///   - choices: `[S]`.
package func sample(
    _ logits: Tensor, _ choices: [TokenChoice]
) -> (tokens: [Int32], logProbabilities: [Float]) {
    let (S, V) = (logits.shape[0], logits.shape[1])
    precondition(choices.count == S, "\(choices.count) choices for \(S) rows.")
    if case .cuda(let cuda) = logits.device { return cuda.sample(logits, choices) }
    let settings = choices.map {
        ck_sampling(
            temperature: $0.temperature, top_k: Int32(clamping: $0.topK), top_p: $0.topP,
            uniform: $0.uniform)
    }
    var tokens = [Int32](repeating: 0, count: S)
    var logProbabilities = [Float](repeating: 0, count: S)
    unsafe ck_sample(S, V, logits.floats, V, settings, &tokens, &logProbabilities)
    return (tokens, logProbabilities)
}

/// Takes tokens out of rows' distributions: their logits become -infinity.
///
/// - Parameters:
///   - places: rows and the ids of tokens, each within `logits`.
///   - logits: `[S, V]`, f32, is written.
package func forbid(_ places: [(row: Int, token: Int32)], in logits: Tensor) {
    guard !places.isEmpty else { return }
    let V = logits.columns
    switch logits.device {
    case .cpu:
        logits.withMutableFloats { logits in
            for (row, token) in places { logits[row * V + Int(token)] = -.infinity }
        }
    case .cuda(let cuda):
        cuda.forbid(
            TokenIndices(places.map(\.token)),
            inRows: TokenIndices(places.map { Int32($0.row) }), of: logits)
    }
}

extension CUDADevice {
    /// The same on the device: the settings go up in one piece, and tokens and log-probabilities
    /// come down in one.
    fileprivate func sample(
        _ logits: Tensor, _ choices: [TokenChoice]
    ) -> (tokens: [Int32], logProbabilities: [Float]) {
        let results = Tensor(uninitialized: [choices.count, 2], on: logits.device)
        sample(logits, settings: TokenIndices(choices.flatMap(\.words)), results: results)
        return drawnTokens(results.toArray())
    }
}

/// What `CUDADevice.sample` wrote.
///
/// - Parameter results: `[S, 2]`.
package func drawnTokens(_ results: [Float]) -> (tokens: [Int32], logProbabilities: [Float]) {
    let rows = 0..<results.count / 2
    return (
        rows.map { Int32(bitPattern: results[2 * $0].bitPattern) },
        rows.map { results[2 * $0 + 1] }
    )
}
