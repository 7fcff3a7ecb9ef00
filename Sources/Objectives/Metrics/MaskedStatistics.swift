/// Mean and variance of the unmasked tokens of a batch.
package struct MaskedStatistics: Sendable {
    /// Unmasked tokens.
    package let count: Int
    /// Their mean; 0 when there is none.
    package let mean: Double
    /// Their variance with Bessel's correction; nil for fewer than two.
    package let variance: Double?

    /// Statistics of per-token values, `[T]`, over the unmasked tokens of a layout.
    package init(_ values: [Double], _ layout: ResponseLayout) {
        precondition(values.count == layout.tokenCount, "one value a token")
        let tokens = values.indices.filter(layout.isUnmasked)
        count = tokens.count
        let mean = tokens.reduce(0.0) { $0 + values[$1] } / Double(max(tokens.count, 1))
        self.mean = mean
        let squares = tokens.reduce(0.0) { $0 + (values[$1] - mean) * (values[$1] - mean) }
        variance = tokens.count < 2 ? nil : squares / Double(tokens.count - 1)
    }
}

/// Per-token values, `[T]`, shifted and scaled to mean 0 and variance 1 over the unmasked tokens.
///
/// (x - mean) / sqrt(variance + 1e-8); masked tokens are moved and scaled alike.
///
/// - Throws: when fewer than two tokens are unmasked, for then there is no variance.
package func whitened(
    _ values: [Double], _ layout: ResponseLayout
) throws(ObjectiveError) -> [Double] {
    let statistics = MaskedStatistics(values, layout)
    guard let variance = statistics.variance else {
        throw ObjectiveError(
            "Whitening advantages needs at least 2 response tokens in the batch that are neither "
                + "masked nor rejected, but there are \(statistics.count).")
    }
    let scale = 1 / (variance + 1e-8).squareRoot()
    return values.map { ($0 - statistics.mean) * scale }
}
