package import Tensors

/// The low-rank parts that a view of the base adds, by layer and projection.
package struct AdapterWeights {
    private var lowRanks: [LowRank?]

    /// An adapter for `layerCount` layers that adds nothing yet.
    package init(layerCount: Int) {
        lowRanks = Array(repeating: nil, count: layerCount * Projection.allCases.count)
    }

    package subscript(layer: Int, projection: Projection) -> LowRank? {
        get { lowRanks[layer * Projection.allCases.count + projection.rawValue] }
        set { lowRanks[layer * Projection.allCases.count + projection.rawValue] = newValue }
    }
}
