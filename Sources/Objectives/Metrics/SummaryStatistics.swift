extension ResponseLayout {
    /// Values of the unmasked tokens, in order.
    func unmaskedValues(_ values: [Double]) -> [Double] {
        unmaskedTokens.map { values[$0] }
    }

    /// A function of the unmasked values of each sequence that has any, in order.
    func mapSequences(_ values: [Double], _ transform: ([Double]) -> Double) -> [Double] {
        (0..<sequenceCount).filter { unmaskedCounts[$0] > 0 }.map { sequence in
            transform(tokens(of: sequence).filter(isUnmasked).map { values[$0] })
        }
    }
}

extension [Double] {
    /// The mean; 0 of nothing.
    var mean: Double { isEmpty ? 0 : reduce(0, +) / Double(count) }

    /// The sum of all.
    var sum: Double { reduce(0, +) }

    /// The deviation with Bessel's correction; 0 of fewer than two.
    var sampleDeviation: Double {
        guard count > 1 else { return 0 }
        let mean = mean
        return (reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)).squareRoot()
    }

    /// The deviation without correction.
    var deviation: Double {
        let mean = mean
        return map { ($0 - mean) * ($0 - mean) }.mean.squareRoot()
    }

    /// The share of values that a test holds for; 0 of nothing.
    func fraction(where test: (Double) -> Bool) -> Double {
        map { test($0) ? 1 : 0 }.mean
    }
}
