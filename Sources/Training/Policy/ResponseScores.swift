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
    try forEachSample(
        samples, microBatches, betweenMicroBatches: betweenMicroBatches, compute: score
    ) { scores, _, tokens in
        ResponseScores(
            logProbabilities: Array(scores.logProbabilities[tokens]),
            squaredProbabilitySums: Array(scores.squaredProbabilitySums[tokens]))
    }
}

/// One result a sample, computed a pack at a time.
///
/// - Parameters:
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
///   - compute: the pass over one pack.
///   - result: a sample's part of it, by the pack's layout and the sample's tokens in it.
func forEachSample<Pass, Result>(
    _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void, compute: (PackedSamples) -> Pass,
    result: (Pass, ResponseLayout, Range<Int>) -> Result
) rethrows -> [Result] {
    var results = [Result?](repeating: nil, count: samples.count)
    for piece in microBatches.pieces(samples) {
        try betweenMicroBatches()
        let packed = PackedSamples(piece.map { samples[$0] })
        let pass = compute(packed)
        for (place, index) in piece.enumerated() {
            results[index] = result(pass, packed.layout, packed.layout.tokens(of: place))
        }
    }
    return results.map { result in
        guard let result else { preconditionFailure("Every sample is in a piece.") }
        return result
    }
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
