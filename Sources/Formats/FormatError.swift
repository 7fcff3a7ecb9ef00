/// What is wrong with a file or with bytes: one sentence that names the file and says what is
/// wrong.
package struct FormatError: Error, CustomStringConvertible, Equatable {
    /// The sentence that a user reads.
    package let message: String

    /// An error with its whole sentence.
    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
