/// Why a model could not be loaded or run, as one sentence that names the file or key.
package struct ModelError: Error, CustomStringConvertible, Equatable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
