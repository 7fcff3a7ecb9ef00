/// What the critic's loss is computed from: one micro-batch, per token of its layout.
package struct ValueLossInputs: Sendable {
    /// Where the sequences lie, and which tokens count.
    package var layout: ResponseLayout
    /// Values that the critic being trained predicts, `[T]`.
    package var predictions: [Float]
    /// Values that it predicted when the advantages were computed, `[T]`.
    package var oldValues: [Float]
    /// Returns to learn, `[T]`.
    package var returns: [Float]

    /// Inputs of one micro-batch.
    package init(
        layout: ResponseLayout, predictions: [Float], oldValues: [Float], returns: [Float]
    ) {
        self.layout = layout
        self.predictions = predictions
        self.oldValues = oldValues
        self.returns = returns
    }
}

/// What the critic's loss is made of; the defaults are verl's.
package struct ValueLossSettings: Sendable {
    /// How far a value may move from its old one (`critic.cliprange_value`).
    package let clipRange: Double
    /// How token losses become one (`critic.loss_agg_mode`).
    package let aggregation: LossAggregation
    /// Divisor of `seq-mean-token-sum-norm`; nil is the padded response length.
    package let lossScaleFactor: Double?

    /// Settings that are checked.
    ///
    /// - Throws: when a number is outside its range; the message names verl's key.
    package init(
        clipRange: Double = 0.5, aggregation: LossAggregation = .tokenMean,
        lossScaleFactor: Double? = nil
    ) throws(ObjectiveError) {
        try checkSetting("critic.cliprange_value", clipRange, "greater than 0") { $0 > 0 }
        try checkSetting("critic.loss_scale_factor", lossScaleFactor ?? 1, "greater than 0") {
            $0 > 0
        }
        self.clipRange = clipRange
        self.aggregation = aggregation
        self.lossScaleFactor = lossScaleFactor
    }
}

/// One micro-batch's contribution to the critic's loss of its mini-batch; contributions add up.
package struct ValueLossResult: Sendable {
    /// Half the aggregated squared error.
    package var loss: Double
    /// Derivative of `loss` by each prediction, `[T]`.
    package var derivatives: [Float]
    /// `critic/vf_loss`, `critic/vf_clipfrac` and `critic/vpred_mean`, to be added up.
    package var metrics: [String: Double]
}

/// PPO's clipped value loss: half of max((v - R)^2, (clip(v, old +- range) - R)^2).
///
/// https://arxiv.org/abs/1707.06347, as in verl's `compute_value_loss`.
///
/// - Throws: when an input is of the wrong length.
package func valueLoss(
    _ inputs: ValueLossInputs, settings: ValueLossSettings, counts: GlobalCounts
) throws(ObjectiveError) -> ValueLossResult {
    let layout = inputs.layout
    for (name, values) in [
        ("predictions", inputs.predictions), ("old values", inputs.oldValues),
        ("returns", inputs.returns),
    ] where values.count != layout.tokenCount {
        throw ObjectiveError(
            "There are \(values.count) \(name) for \(layout.tokenCount) response tokens.")
    }
    let weights = try settings.aggregation.weights(
        layout, counts: counts, scaleFactor: settings.lossScaleFactor)
    var derivatives = [Float](repeating: 0, count: layout.tokenCount)
    var (loss, clipped, sum) = (0.0, 0.0, 0.0)
    for token in weights.indices where weights[token] != 0 {
        let (value, old) = (Double(inputs.predictions[token]), Double(inputs.oldValues[token]))
        let error = value - Double(inputs.returns[token])
        let bounded = value.clamped(old - settings.clipRange, old + settings.clipRange)
        let boundedError = bounded - Double(inputs.returns[token])
        sum += value
        // Where the clipped error is the larger one, the value is beyond its range: no derivative.
        if boundedError * boundedError > error * error {
            loss += weights[token] * boundedError * boundedError / 2
            clipped += 1
        } else {
            loss += weights[token] * error * error / 2
            derivatives[token] = Float(weights[token] * error)
        }
    }
    let tokens = max(counts.tokens, 1)
    return ValueLossResult(
        loss: loss, derivatives: derivatives,
        metrics: [
            "critic/vf_loss": loss, "critic/vf_clipfrac": clipped / tokens,
            "critic/vpred_mean": sum / tokens,
        ])
}
