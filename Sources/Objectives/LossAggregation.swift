/// How token losses become one loss (`actor.loss_agg_mode`); raw values are verl's names.
///
/// With m the mask, N the mini-batch's unmasked tokens and S its sequences that have one:
package enum LossAggregation: String, CaseIterable, Sendable {
    /// `sum(m l) / N`: every token weighs the same.
    case tokenMean = "token-mean"
    /// `sum(m l)`: not divided at all, so that the learning rate goes with the batch.
    case tokenSum = "token-sum"
    /// `sum(m l) / S`: every token weighs the same, long responses move more.
    case sequenceMeanTokenSum = "seq-mean-token-sum"
    /// Mean over the tokens of each sequence, then over sequences.
    case sequenceMeanTokenMean = "seq-mean-token-mean"
    /// `sum(m l) / factor`, a constant: Dr. GRPO, https://arxiv.org/abs/2503.20783.
    case sequenceMeanTokenSumNorm = "seq-mean-token-sum-norm"

    /// The aggregation of a name.
    ///
    /// - Throws: when there is none of this name.
    package init(named name: String) throws(ObjectiveError) {
        guard let known = LossAggregation(rawValue: name) else {
            let names = LossAggregation.allCases.map(\.rawValue)
            throw .unknown("loss aggregation (loss_agg_mode)", name, known: names)
        }
        self = known
    }

    /// Weight of each token, `[T]`, 0 where masked: loss = sum of weight times token loss.
    ///
    /// - Parameters:
    ///   - layout: the tokens of this micro-batch.
    ///   - counts: those of the whole mini-batch.
    ///   - scaleFactor: `loss_scale_factor`; only `sequenceMeanTokenSumNorm` uses it.
    /// - Throws: when the counts are less than the layout's own, or the constant is unknown.
    package func weights(
        _ layout: ResponseLayout, counts: GlobalCounts, scaleFactor: Double? = nil
    ) throws(ObjectiveError) -> [Double] {
        let (tokens, sequences) = (layout.unmaskedTokenCount, layout.nonEmptySequenceCount)
        guard counts.tokens >= Double(tokens), counts.sequences >= Double(sequences) else {
            throw ObjectiveError(
                "The micro-batch has \(tokens) tokens in \(sequences) sequences, more than the "
                    + "\(counts.tokens) tokens in \(counts.sequences) sequences of its mini-batch.")
        }
        let divisor = try self.divisor(counts: counts, scaleFactor: scaleFactor)
        var weights = [Double](repeating: 0, count: layout.tokenCount)
        for sequence in 0..<layout.sequenceCount where layout.unmaskedCounts[sequence] > 0 {
            let length = Double(layout.unmaskedCounts[sequence])
            let weight = self == .sequenceMeanTokenMean ? 1 / (length * divisor) : 1 / divisor
            for token in layout.tokens(of: sequence) where layout.isUnmasked(token) {
                weights[token] = weight
            }
        }
        return weights
    }

    /// What the whole mini-batch's sum is divided by.
    private func divisor(
        counts: GlobalCounts, scaleFactor: Double?
    ) throws(ObjectiveError) -> Double {
        switch self {
        case .tokenMean: return counts.tokens
        case .tokenSum: return 1
        case .sequenceMeanTokenSum, .sequenceMeanTokenMean: return counts.sequences
        case .sequenceMeanTokenSumNorm:
            guard let factor = scaleFactor ?? counts.paddedResponseLength.map(Double.init) else {
                throw ObjectiveError(
                    "loss_agg_mode=\(rawValue) needs loss_scale_factor, "
                        + "or the padded response length to use in its place.")
            }
            return factor
        }
    }
}
