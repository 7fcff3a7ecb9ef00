/// Why an adapter could not be made, read, written or merged: one sentence that names the file or
/// key.
package struct AdapterError: Error, CustomStringConvertible, Equatable {
    package let description: String

    package init(_ description: String) { self.description = description }
}
