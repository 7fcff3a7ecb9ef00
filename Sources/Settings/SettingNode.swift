/// Where a value was written: a line of a file, an argument of the command, or nowhere (a default).
package enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
    case file(String, line: Int)
    case argument(String)
    case byDefault

    /// The place in words, as it stands in messages: "run.yaml line 3", "argument 'a.b=1'".
    package var description: String {
        switch self {
        case .file(let path, let line): "\(path) line \(line)"
        case .argument(let text): "argument '\(text)'"
        case .byDefault: "the default"
        }
    }
}

/// One value of the configuration tree, with the place it came from.
///
/// A scalar stays the text that the user wrote: whether `16` is a number or a name is decided by
/// the read that asks for it, and nothing is lost before.
package struct SettingNode: Sendable, Equatable {
    /// What a node holds; `quoted` text is never a number, a truth value or null.
    package indirect enum Content: Sendable, Equatable {
        case scalar(String, quoted: Bool)
        case list([SettingNode])
        case map(SettingMap)
    }

    package var content: Content
    package var origin: SettingOrigin

    /// Makes a node from its parts.
    package init(_ content: Content, _ origin: SettingOrigin = .byDefault) {
        self.content = content
        self.origin = origin
    }

    /// Makes a scalar node whose text reads back as exactly this value.
    package init(_ scalar: SettingScalar, _ origin: SettingOrigin = .byDefault) {
        self.init(.scalar(scalar.text, quoted: scalar.needsQuotes), origin)
    }

    /// The scalar in its own type (`3` is an integer, `"3"` a string), or nil for a list or map.
    package var scalar: SettingScalar? {
        guard case .scalar(let text, let quoted) = content else { return nil }
        return quoted ? .string(text) : SettingScalar(plain: text)
    }

    /// Whether this is null, as in `key: null` or a key with nothing after it.
    package var isNull: Bool { scalar == .null }

    /// Whether this is null or a list or map without entries.
    package var isEmpty: Bool {
        switch content {
        case .scalar: isNull
        case .list(let items): items.isEmpty
        case .map(let map): map.keys.isEmpty
        }
    }

    /// OmegaConf's mark of a value that must still be given: `???`.
    static let missingMark = SettingNode(.scalar("???", quoted: false))

    /// Whether this is the mark `???`.
    package var isMissingMark: Bool {
        guard case .scalar("???", _) = content else { return false }
        return true
    }

    /// The node below this one at the end of a path of names, or nil where there is none.
    package func node(at path: some Collection<String>) -> SettingNode? {
        guard let name = path.first else { return self }
        guard case .map(let map) = content else { return nil }
        return map[name]?.node(at: path.dropFirst())
    }

    /// The same node with the value at the end of a path replaced, or removed when `value` is nil.
    ///
    /// What stood in the way (a scalar where the path needs a group) is replaced by a group.
    package func replacing(_ path: some Collection<String>, with value: SettingNode?) -> SettingNode
    {
        guard let name = path.first else { return value ?? self }
        var map = SettingMap()
        if case .map(let existing) = content { map = existing }
        if path.count == 1 {
            map[name] = value
        } else if value != nil || map[name] != nil {
            let child = map[name] ?? SettingNode(.map(SettingMap()), value?.origin ?? origin)
            map[name] = child.replacing(path.dropFirst(), with: value)
        }
        return SettingNode(.map(map), origin)
    }

    /// The same value with every text written so that it reads back as it is: `${` is `\${`.
    func escapingReferences() -> SettingNode {
        switch content {
        case .scalar(let text, let quoted):
            guard text.contains("${") else { return self }
            return SettingNode(
                .scalar(text.replacing("${", with: "\\${"), quoted: quoted), origin)
        case .list(let items):
            return SettingNode(.list(items.map { $0.escapingReferences() }), origin)
        case .map(var map):
            for (name, value) in map.entries { map[name] = value.escapingReferences() }
            return SettingNode(.map(map), origin)
        }
    }

    /// The two trees as one: where both hold a value, the one of `other` stands.
    package func merged(with other: SettingNode) -> SettingNode {
        // A group with everything under it commented out says nothing, and so changes nothing.
        if case .map = content, case .scalar("", quoted: false) = other.content { return self }
        guard case .map(var map) = content, case .map(let added) = other.content else {
            return other
        }
        for (name, value) in added.entries {
            map[name] = map[name]?.merged(with: value) ?? value
        }
        return SettingNode(.map(map), origin)
    }
}

/// Names with their values, in the order in which they were written.
package struct SettingMap: Sendable, Equatable {
    package private(set) var keys: [String] = []
    private var values: [String: SettingNode] = [:]

    /// Makes a map without entries.
    package init() {}

    /// The value under a name; assigning nil removes the name.
    package subscript(name: String) -> SettingNode? {
        get { values[name] }
        set {
            let known = values[name] != nil
            values[name] = newValue
            if newValue != nil, !known { keys.append(name) }
            if newValue == nil, known { keys.removeAll { $0 == name } }
        }
    }

    /// All names with their values, in order.
    package var entries: [(name: String, value: SettingNode)] {
        keys.compactMap { name in values[name].map { (name, $0) } }
    }
}
