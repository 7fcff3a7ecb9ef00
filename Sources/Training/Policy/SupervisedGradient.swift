package import Models
import Tensors

/// The mean negative log-probability of the response tokens of `samples`, in nats a token, whose
/// gradient is added to the policy's gradient buffer.
///
/// The mean is over the tokens of all samples, so that the cut into micro-batches changes nothing.
/// - Parameters:
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
package func accumulateSupervisedGradient(
    _ policy: Policy, _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    keeping kept: KeptActivations, betweenMicroBatches: () throws -> Void = {}
) rethrows -> Double {
    let tokens = Double(samples.reduce(0) { $0 + $1.response.count })
    var loss = 0.0
    let pieces = microBatches.pieces(
        samples, fitting: policy.decoder.tokensAtOnce(kept, adapter: policy.adapter))
    for piece in pieces {
        try betweenMicroBatches()
        let tape = Tape()
        let packed = PackedSamples(piece.map { samples[$0] })
        let scores = policy.score(packed, temperature: 1, keeping: kept, tape)
        let count = scores.logProbabilities.count
        scores.backward(
            logProbabilityDerivatives: Array(repeating: Float(-1 / tokens), count: count),
            entropyDerivatives: Array(repeating: 0, count: count))
        tape.backward()
        loss -= scores.logProbabilities.reduce(0) { $0 + Double($1) } / tokens
    }
    return loss
}

/// The mean negative log-probability of the response tokens of `samples`, in nats a token.
package func supervisedLoss(
    _ policy: Policy, _ samples: [PolicySample], _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void = {}
) rethrows -> Double {
    let values = try logProbabilities(
        samples, microBatches, betweenMicroBatches: betweenMicroBatches
    ) { policy.score($0, temperature: 1, keeping: .all, nil) }
    let tokens = values.joined()
    return -tokens.reduce(0) { $0 + Double($1) } / Double(max(1, tokens.count))
}
