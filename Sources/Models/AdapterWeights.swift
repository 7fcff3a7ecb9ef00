package import Tensors

/// The low-rank parts that a view of the base adds, by layer and projection.
package struct AdapterWeights {
    private var lowRanks: [LowRank?]

    /// An adapter for `layerCount` layers that adds nothing yet.
    package init(layerCount: Int) {
        lowRanks = Array(repeating: nil, count: layerCount * Projection.allCases.count)
    }

    /// All low-rank parts that there are.
    package var all: [LowRank] { lowRanks.compactMap(\.self) }

    /// Whether another adapter is this one: of the same numbers in the same memory.
    package func isSame(as other: AdapterWeights) -> Bool {
        lowRanks.elementsEqual(other.lowRanks) { one, another in
            switch (one, another) {
            case (nil, nil): true
            case (let one?, let another?): one.isSame(as: another)
            default: false
            }
        }
    }

    package subscript(layer: Int, projection: Projection) -> LowRank? {
        get { lowRanks[layer * Projection.allCases.count + projection.rawValue] }
        set { lowRanks[layer * Projection.allCases.count + projection.rawValue] = newValue }
    }
}
