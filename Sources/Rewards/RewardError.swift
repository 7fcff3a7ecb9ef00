/// A response that could not be scored: one sentence that names the sample, or the reward itself.
package struct RewardError: Error, CustomStringConvertible, Equatable {
    /// The sentence that a user reads.
    package let message: String

    /// An error with its sentence.
    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
