package import Models
package import Objectives
import Tensors

/// The settings of one update of the critic.
package struct ValueUpdateSettings: Sendable {
    package var loss: ValueLossSettings
    package var microBatches: MicroBatchSettings
    /// Which blocks keep their activations for the backward pass.
    package var kept: KeptActivations
    /// Length that responses would be padded to, which `seq-mean-token-sum-norm` divides by.
    package var paddedResponseLength: Int

    package init(
        loss: ValueLossSettings, microBatches: MicroBatchSettings, kept: KeptActivations,
        paddedResponseLength: Int
    ) {
        self.loss = loss
        self.microBatches = microBatches
        self.kept = kept
        self.paddedResponseLength = paddedResponseLength
    }
}

/// What one mini-batch gave the critic.
package struct ValueGradient {
    /// The loss over the whole mini-batch.
    package var loss = 0.0
    /// verl's `critic/...` metrics of the mini-batch.
    package var metrics: [String: Double] = [:]
}

/// Adds the gradient of one mini-batch to the critic's gradient buffer, a micro-batch at a time.
///
/// Losses are normalised by the counts of the whole mini-batch, so that the cut into micro-batches
/// changes nothing.
/// - Parameters:
///   - samples: with the `values` and `returns` of their response tokens.
///   - betweenMicroBatches: called before each micro-batch; what it throws ends the pass.
/// - Throws: `ObjectiveError` when a sample has no values or returns.
package func accumulateValueGradient(
    _ critic: TrainedCritic, _ samples: [PolicySample], _ settings: ValueUpdateSettings,
    betweenMicroBatches: () throws -> Void = {}
) throws -> ValueGradient {
    let counts = GlobalCounts(
        samples.responseLayout, paddedResponseLength: settings.paddedResponseLength)
    var result = ValueGradient()
    let pieces = settings.microBatches.pieces(
        samples, fitting: critic.decoder.tokensAtOnce(settings.kept, adapter: critic.weights))
    for piece in pieces {
        try betweenMicroBatches()
        let microBatch = piece.map { samples[$0] }
        let packed = PackedSamples(microBatch)
        let tape = Tape()
        let values_T1 = critic.values(packed, keeping: settings.kept, tape)
        let part = try valueLoss(
            ValueLossInputs(
                layout: packed.layout, predictions: values_T1.toArray(),
                oldValues: microBatch.flatMap { $0.values ?? [] },
                returns: microBatch.flatMap { $0.returns ?? [] }),
            settings: settings.loss, counts: counts)
        values_T1.node?.add(Tensor(part.derivatives, shape: values_T1.shape))
        tape.backward()
        result.loss += part.loss
        result.metrics.merge(part.metrics, uniquingKeysWith: +)
    }
    return result
}

/// The critic's value of each response token of each sample, without a gradient; 0 where a token's
/// mask is.
package func criticValues(
    of samples: [PolicySample], _ critic: TrainedCritic, _ microBatches: MicroBatchSettings,
    betweenMicroBatches: () throws -> Void = {}
) rethrows -> [[Float]] {
    try forEachSample(
        samples, microBatches, betweenMicroBatches: betweenMicroBatches,
        compute: { critic.values($0, keeping: .all, nil).toArray() }
    ) { values, layout, tokens in
        tokens.map { layout.isUnmasked($0) ? values[$0] : 0 }
    }
}
