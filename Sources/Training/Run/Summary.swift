/// Mean, largest and smallest of a list, as verl names them.
package struct Summary: Sendable, Equatable {
    package let mean: Double
    package let largest: Double
    package let smallest: Double

    /// The summary of at least one number.
    package init?(_ values: some Collection<Double>) {
        guard let largest = values.max(), let smallest = values.min() else { return nil }
        mean = values.reduce(0, +) / Double(values.count)
        self.largest = largest
        self.smallest = smallest
    }
}

extension [String: Double] {
    /// Adds `NAME/mean`, `NAME/max` and `NAME/min` of `values`, if there are any.
    package mutating func add(_ name: String, _ values: some Collection<Double>) {
        guard let summary = Summary(values) else { return }
        self["\(name)/mean"] = summary.mean
        self["\(name)/max"] = summary.largest
        self["\(name)/min"] = summary.smallest
    }
}
