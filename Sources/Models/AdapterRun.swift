import Tensors

/// A run of a batch's rows that one adapter serves.
package struct AdapterRun {
    package let weights: AdapterWeights
    package let rows: Range<Int>

    package init(_ weights: AdapterWeights, rows: Range<Int>) {
        self.weights = weights
        self.rows = rows
    }
}

/// What the rows of one forward pass add to the base.
enum BatchAdapters {
    /// All rows the same, or nothing.
    case one(AdapterWeights?)
    /// Runs of rows that do not overlap; the other rows nothing.
    case runs([AdapterRun])

    /// `x` through a linear layer of the base and what each row adds to it.
    ///
    /// - Parameter activations: what quantised weights take `x` as; f32 where a tape records.
    func linear(
        _ x: Tensor, _ weight: Weight, bias: Tensor?, layer: Int, _ projection: Projection,
        activations: ActivationPrecision, _ tape: Tape?
    ) -> Tensor {
        switch self {
        case .one(let adapter):
            return Tensors.linear(
                x, weight, bias: bias, lowRank: adapter?[layer, projection],
                activations: activations, tape)
        case .runs(let runs):
            precondition(tape == nil, "A batch for several adapters is not differentiated.")
            let lowRanks = runs.compactMap { run in
                run.weights[layer, projection].map { LowRankRows($0, rows: run.rows) }
            }
            return Tensors.linear(
                x, weight, bias: bias, lowRanks: lowRanks, activations: activations)
        }
    }
}
