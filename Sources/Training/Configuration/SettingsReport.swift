package import Settings

/// What a run says about its settings: shown at the start, written into its folder, explained.
package struct SettingsReport: Sendable {
    /// The configuration in force, defaults included, as a tree; see `yaml` and `json` of it.
    package let resolved: SettingNode
    /// A line for each reason why given keys have no effect, then what else is to be said.
    package let notices: [String]
    /// Every key with type, default, meaning, value and origin.
    package let declarations: [SettingDeclaration]

    init(_ reader: SettingsReader) {
        resolved = reader.resolved
        notices = unusedSettingNotices(reader.unused) + reader.notes
        declarations = reader.declarations
    }
}
