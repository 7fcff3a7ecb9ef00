import Objectives
package import Tensors

/// What a model says of a sample's response: numbers of each token.
package struct ResponseScores: Sendable {
    /// Log-probability of each response token, `[T]`.
    package var logProbabilities: [Float] = []
    /// Sum over the vocabulary of the squared probabilities at each token, `[T]`.
    package var squaredProbabilitySums: [Float] = []
}

/// What a model says of each sample's response, without a gradient.
///
/// - Parameters:
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
///   - score: the policy's or the reference's pass over one pack.
package func responseScores(
    _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void = {},
    score: (PackedSamples) -> TokenLogProbabilities
) rethrows -> [ResponseScores] {
    var results = [ResponseScores](repeating: ResponseScores(), count: samples.count)
    for piece in microBatches.pieces(samples) {
        try betweenMicroBatches()
        let packed = PackedSamples(piece.map { samples[$0] })
        let scores = score(packed)
        for (place, index) in piece.enumerated() {
            let tokens = packed.layout.tokens(of: place)
            results[index] = ResponseScores(
                logProbabilities: Array(scores.logProbabilities[tokens]),
                squaredProbabilitySums: Array(scores.squaredProbabilitySums[tokens]))
        }
    }
    return results
}

/// The log-probability of each response token of each sample, without a gradient.
package func logProbabilities(
    _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void = {},
    score: (PackedSamples) -> TokenLogProbabilities
) rethrows -> [[Float]] {
    try responseScores(
        samples, microBatches, betweenMicroBatches: betweenMicroBatches, score: score
    ).map(\.logProbabilities)
}
