#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The configuration as the user gave it: files merged in order, then the command line's overrides.
package struct SettingsTree: Sendable {
    /// All values that were given, as a map.
    package let root: SettingNode
    /// What `${oc.env:NAME}` and `$NAME` in paths refer to.
    package let environment: [String: String]

    /// Makes a tree from values at hand.
    package init(
        root: SettingNode,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.root = root
        self.environment = environment
    }

    /// Reads the arguments of a command: `FILE.yaml`, `a.b=value`, `+a.b=value`, `++a.b=value`, `~a.b`.
    ///
    /// Files are merged in the order given and overrides stand above all files. Throws with the
    /// file and line, or with the argument, that cannot be read.
    package static func load(
        arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> SettingsTree {
        var root = SettingNode(.map(SettingMap()))
        for path in arguments where SettingArgument.isFile(path) {
            root = root.merged(with: try SettingsFile.tree(at: path))
        }
        for text in arguments where !SettingArgument.isFile(text) {
            let argument = try SettingArgument(text)
            if argument.value == nil, root.node(at: argument.path) == nil {
                throw SettingsError(
                    "Argument '\(text)': there is no '\(argument.path.joined(separator: "."))' to"
                        + " take away in the files given.")
            }
            let present = root.node(at: argument.path)
            root = root.replacing(
                argument.path,
                with: argument.value.map { value in present?.merged(with: value) ?? value })
        }
        return SettingsTree(root: root, environment: environment)
    }
}
