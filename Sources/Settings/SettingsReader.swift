/// Reads settings by key; every read declares its key, with type, default, limits and meaning.
///
/// What was given but never read is unknown: `finish()` says so with the nearest known name. A
/// reader made with `scope` reads below a prefix and shares all records with its parent.
package struct SettingsReader {
    /// The prefix of every key read here, such as "actor_rollout_ref.actor", or "".
    package let prefix: String
    let record: Record
    /// What is said of the defaults of this reader's reads; nil where they are plain values.
    private var derivation: Derivation?

    /// A default that comes from another key, and from which if that is always the same one.
    private struct Derivation {
        let words: String?
    }

    /// What all readers of one tree share.
    final class Record {
        let tree: SettingsTree
        var order: [String] = []
        var declarations: [String: SettingDeclaration] = [:]
        /// Keys read through a reference only, such as a user's own `vars.root`.
        var referenced: [String] = []
        var unused: [UnusedSetting] = []
        var notes: [String] = []
        let isDraft: Bool

        init(_ tree: SettingsTree, isDraft: Bool) {
            self.tree = tree
            self.isDraft = isDraft
        }
    }

    /// Starts to read a tree.
    ///
    /// - Parameters:
    ///   - isDraft: whether keys that must be given may be missing, as they are where a
    ///     configuration is only looked at; a path that is missing is empty then.
    package init(_ tree: SettingsTree, isDraft: Bool = false) {
        prefix = ""
        record = Record(tree, isDraft: isDraft)
    }

    private init(prefix: String, record: Record) {
        self.prefix = prefix
        self.record = record
    }

    /// A reader whose keys lie below a name of this one.
    package func scope(_ name: String) -> SettingsReader {
        SettingsReader(prefix: fullKey(name), record: record)
    }

    /// A reader of the same keys whose defaults come from other keys.
    ///
    /// A written configuration leaves such a key out where it was not given, so that it still
    /// follows the other one when that is changed.
    ///
    /// - Parameters:
    ///   - words: what stands for the default in the reference, such as "as data.seed"; nil where
    ///     the default's value can be named.
    package func derived(_ words: String? = nil) -> SettingsReader {
        var reader = self
        reader.derivation = Derivation(words: words)
        return reader
    }

    /// The key with this reader's prefix before it.
    package func fullKey(_ key: String) -> String {
        prefix.isEmpty ? key : "\(prefix).\(key)"
    }

    /// Whether the user gave a value for a key (null counts as given).
    package func isGiven(_ key: String) -> Bool {
        record.tree.root.node(at: path(key)) != nil
    }

    /// The variables of the environment that the configuration was read in.
    package var environment: [String: String] { record.tree.environment }

    /// Everything declared so far, in the order of the reads.
    package var declarations: [SettingDeclaration] {
        record.order.compactMap { record.declarations[$0] }
    }

    /// The given keys that have no effect here, in the order of the reads.
    package var unused: [UnusedSetting] { record.unused }

    /// Sentences for the start of the run.
    package var notes: [String] { record.notes }

    /// Every key in force with its value and its origin as one tree, defaults included but for those
    /// that come from other keys.
    package var resolved: SettingNode {
        var tree = SettingNode(.map(SettingMap()))
        for declaration in declarations {
            if declaration.isDerived, declaration.origin == .byDefault { continue }
            guard var value = declaration.value?.escapingReferences() else { continue }
            value.origin = declaration.origin
            let path = declaration.key.split(separator: ".").map(String.init)
            tree = tree.replacing(path, with: value)
        }
        return tree
    }

    /// Throws when a key was given that no read asked for, naming the nearest known key.
    package func finish() throws(SettingsError) {
        var unknown: [(key: String, origin: SettingOrigin)] = []
        collectUnknown(record.tree.root, [], into: &unknown)
        guard !unknown.isEmpty else { return }
        throw SettingsError(
            unknown.map { entry in
                let nearest = nearestKey(to: entry.key)
                let hint = nearest.map { "did you mean '\($0)'?" } ?? "no known key is like it."
                return "unknown key '\(entry.key)' (\(entry.origin)); \(hint)"
            }.joined(separator: "\n"))
    }

    /// The known key that an unknown one most likely meant.
    ///
    /// A name of the same group goes before those of others, and keys that have an effect before those
    /// that are known only to be refused.
    private func nearestKey(to unknown: String) -> String? {
        let inForce = record.order.filter { record.declarations[$0]?.effect == .works }
        let group = unknown.prefix(upTo: unknown.lastIndex(of: ".") ?? unknown.startIndex)
        let isSibling = { (key: String) in
            key.lastIndex(of: ".").map { key[..<$0] == group } ?? group.isEmpty
        }
        return NearestName.suggestion(for: unknown, among: inForce.filter(isSibling))
            ?? NearestName.suggestion(for: unknown, among: record.order.filter(isSibling))
            ?? NearestName.suggestion(for: unknown, among: inForce)
            ?? NearestName.suggestion(for: unknown, among: record.order)
    }

    private func collectUnknown(
        _ node: SettingNode, _ path: [String],
        into unknown: inout [(key: String, origin: SettingOrigin)]
    ) {
        let key = path.joined(separator: ".")
        if record.declarations[key] != nil || record.referenced.contains(key) { return }
        if path.last == "_target_" {
            record.unused.append(UnusedSetting(key: key, reason: "it names a class of verl"))
            return
        }
        if case .map(let map) = node.content, !map.keys.isEmpty {
            for (name, value) in map.entries {
                collectUnknown(value, path + [name], into: &unknown)
            }
            return
        }
        // An empty group of known keys is a heading with nothing under it.
        if node.isEmpty, key.isEmpty || record.order.contains(where: { $0.hasPrefix(key + ".") }) {
            return
        }
        unknown.append((key, node.origin))
    }

    // MARK: What the typed reads are made of

    /// The value given for a key with its references followed, or nil when none was given.
    func given(_ key: String, allowsEnvironment: Bool = false) throws(SettingsError) -> SettingNode?
    {
        guard let node = record.tree.root.node(at: path(key)) else {
            return try givenByGroup(key, allowsEnvironment: allowsEnvironment)
        }
        return try followingReferences(node, at: fullKey(key), allowsEnvironment)
    }

    private func followingReferences(
        _ node: SettingNode, at key: String, _ allowsEnvironment: Bool
    ) throws(SettingsError) -> SettingNode {
        let record = record
        var references = SettingReferences(
            tree: record.tree, allowsEnvironment: allowsEnvironment,
            declaredValue: { record.declarations[$0]?.value })
        let resolved = try references.resolve(node, at: key)
        record.referenced += references.visited
        return resolved
    }

    /// Keeps what a read declared; the last read of a key stands.
    func declare(
        _ key: String, _ effect: SettingDeclaration.Effect = .works, type: String,
        defaultValue: SettingNode?, help: String, value: SettingNode?, origin: SettingOrigin?
    ) {
        let full = fullKey(key)
        if record.declarations[full] == nil { record.order.append(full) }
        record.declarations[full] = SettingDeclaration(
            key: full, effect: effect, type: type, defaultValue: defaultValue,
            isDerived: derivation != nil, derivation: derivation?.words, help: help, value: value,
            origin: origin ?? .byDefault)
    }

    /// The names of a key from the root of the tree.
    func path(_ key: String) -> [String] {
        fullKey(key).split(separator: ".").map(String.init)
    }

    /// The value of a key whose group was given as one value: a reference to another group, or
    /// null. Anything else, such as `data=5`, leaves the group's keys without a value: an error.
    private func givenByGroup(_ key: String, allowsEnvironment: Bool) throws(SettingsError)
        -> SettingNode?
    {
        let path = path(key)
        for length in 1..<max(path.count, 1) {
            guard var node = record.tree.root.node(at: path.prefix(length)) else { return nil }
            if case .map = node.content { continue }
            let group = path.prefix(length).joined(separator: ".")
            node = try followingReferences(node, at: group, allowsEnvironment)
            record.referenced.append(group)
            if node.isNull { return nil }
            if case .map = node.content { return node.node(at: path.dropFirst(length)) }
            throw SettingsError(
                "'\(group)' is \(node.inline) (\(node.origin)), but it is a group of settings such"
                    + " as '\(fullKey(key))'.")
        }
        return nil
    }
}
