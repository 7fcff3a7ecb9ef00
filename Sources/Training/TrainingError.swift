/// Why a run cannot start or go on, as one sentence that names the file, key or sample.
package struct TrainingError: Error, CustomStringConvertible, Equatable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
