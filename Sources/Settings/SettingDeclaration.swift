/// What one read says about its key: the configuration's reference is the list of these.
package struct SettingDeclaration: Sendable {
    /// The full key, such as "data.train_batch_size".
    package let key: String
    /// The type in words, such as "an integer of at least 1".
    package let type: String
    /// The value without any configuration, or nil for a key that must be given.
    package let defaultValue: SettingNode?
    /// One sentence about what the key does.
    package let help: String
    /// The value in force; nil for a key that has no effect here.
    package let value: SettingNode?
    /// Where the value in force was written.
    package let origin: SettingOrigin
}
