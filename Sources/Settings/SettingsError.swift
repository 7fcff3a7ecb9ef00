/// What is wrong with a configuration: one sentence with the key, what was found and what is right.
package struct SettingsError: Error, CustomStringConvertible, Equatable {
    /// The sentence shown to the user.
    package let description: String

    /// Makes an error from its sentence.
    package init(_ description: String) {
        self.description = description
    }
}
