/// What one read says about its key: the configuration's reference is the list of these.
package struct SettingDeclaration: Sendable {
    /// The full key, such as "data.train_batch_size".
    package let key: String
    /// What the key does here.
    package let effect: Effect
    /// The type in words, such as "an integer of at least 1".
    package let type: String
    /// The value without any configuration, or nil for a key that must be given.
    package let defaultValue: SettingNode?
    /// Whether the default comes from another key, so that a written configuration leaves it out.
    package let isDerived: Bool
    /// Where the default comes from, such as "as data.seed"; nil where the value says it.
    package let derivation: String?
    /// One sentence about what the key does, or the reason why it does nothing.
    package let help: String
    /// The value in force; nil for a key that has no effect here.
    package let value: SettingNode?
    /// Where the value in force was written.
    package let origin: SettingOrigin

    /// Whether the user gave another value than the default; null is none.
    package var differsFromDefault: Bool {
        guard origin != .byDefault, let value, !value.isNull else { return false }
        return value.flow != defaultValue?.flow
    }

    /// What a known key does.
    package enum Effect: Sendable, Equatable {
        /// It sets something.
        case works
        /// Nothing: the key is one of verl's that has no meaning here.
        case none
        /// Nothing, and other values than these are refused, because they ask for what is not there.
        case limited
    }
}

/// A key that was given and has no effect, with the reason.
package struct UnusedSetting: Sendable, Equatable {
    /// The full key as it was given.
    package let key: String
    /// A clause that follows "as": "there is one copy of the weights".
    package let reason: String

    /// Makes the pair.
    package init(key: String, reason: String) {
        self.key = key
        self.reason = reason
    }
}
