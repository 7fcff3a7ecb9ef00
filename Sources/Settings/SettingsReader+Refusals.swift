extension SettingsReader {
    /// Declares a key of verl, or a whole group, that has no meaning here; notes it if it was given.
    ///
    /// - Parameters:
    ///   - reason: a clause that follows "as": "there is one copy of the weights".
    package func ignored(_ key: String, because reason: String) {
        let node = record.tree.root.node(at: path(key))
        declare(
            key, .none, type: "without effect here", defaultValue: nil, help: reason, value: nil,
            origin: node?.origin)
        guard let node else { return }
        for given in leaves(of: node, below: fullKey(key)) {
            record.unused.append(UnusedSetting(key: given, reason: reason))
        }
    }

    /// Notes that a key that was read has no effect as things are.
    package func unused(_ key: String, because reason: String) {
        record.unused.append(UnusedSetting(key: fullKey(key), reason: reason))
    }

    /// Notes those of some keys that were given another value than their default, which has no
    /// effect as things are.
    package func unusedIfSet(_ keys: [String], because reason: String) {
        for key in keys where record.declarations[fullKey(key)]?.differsFromDefault == true {
            unused(key, because: reason)
        }
    }

    /// The keys given below a group, but for those that a read of their own has declared.
    private func leaves(of node: SettingNode, below key: String) -> [String] {
        guard case .map(let map) = node.content, !map.keys.isEmpty else { return [key] }
        return map.entries.flatMap { name, value in
            let inner = "\(key).\(name)"
            return record.declarations[inner] == nil ? leaves(of: value, below: inner) : []
        }
    }

    /// Notes a choice of one of Hydra's configuration groups (`engine=fsdp`), whose keys are read
    /// below the same name.
    package func ignoredChoice(_ key: String, because reason: String) {
        guard case .scalar = record.tree.root.node(at: path(key))?.content else { return }
        record.referenced.append(fullKey(key))
        unused(key, because: reason)
    }

    /// Declares keys of one group that have no meaning here for the same reason.
    package func ignored(_ keys: [String], because reason: String) {
        for key in keys { ignored(key, because: reason) }
    }

    /// Adds one sentence to what is shown at the start of the run.
    package func note(_ sentence: String) {
        record.notes.append(sentence)
    }

    /// Reads keys of a group that is off: they are declared and checked, but nothing is said of them.
    package func quietly<Result>(
        _ body: () throws(SettingsError) -> Result
    ) throws(SettingsError) -> Result {
        let (unused, notes) = (record.unused, record.notes)
        defer { (record.unused, record.notes) = (unused, notes) }
        return try body()
    }

    /// Declares a key of which only some values can be met; throws when another one was given.
    ///
    /// Null, an empty list and an empty map are fine when `allowed` has null.
    package func unsupported(_ key: String, allowed: [SettingScalar], because reason: String)
        throws(SettingsError)
    {
        let node = try given(key)
        let words = allowed.map(\.text).joined(separator: " or ")
        declare(
            key, .limited, type: words, defaultValue: nil, help: reason, value: nil,
            origin: node?.origin)
        guard let node else { return }
        if node.isEmpty, allowed.contains(.null) { return }
        if let scalar = node.scalar, allowed.contains(scalar) { return }
        throw mismatch(key, node, "must be \(words): \(reason)")
    }

    /// The error for a value that was read and turned out impossible.
    ///
    /// `requirement` goes on from "..., but": "must divide 64".
    package func invalid(_ key: String, _ requirement: String) -> SettingsError {
        SettingsError("\(describe(key)), but \(requirement).")
    }

    /// The error for values that contradict each other: all keys are named, then what is right.
    package func conflict(_ keys: [String], _ requirement: String) -> SettingsError {
        SettingsError(keys.map(describe).joined(separator: " and ") + ": \(requirement).")
    }

    /// The error for a key that must be given; points at an unread key that looks like it.
    package func missing(_ key: String, _ help: String) -> SettingsError {
        let full = fullKey(key)
        var hint = "give it as \(full)=VALUE"
        let similar = givenKeys().first {
            NearestName.distance($0, full) <= 2 || full.hasSuffix("." + $0)
        }
        if let similar { hint = "was '\(similar)' meant to be it?" }
        return SettingsError("'\(full)' is needed (\(help.withoutFinalStop)): \(hint)")
    }

    /// The error for a value of the wrong kind.
    func mismatch(_ key: String, _ node: SettingNode, _ requirement: String) -> SettingsError {
        SettingsError("'\(fullKey(key))' is \(node.inline) (\(node.origin)), but \(requirement).")
    }

    private func describe(_ key: String) -> String {
        guard let declaration = record.declarations[fullKey(key)] else {
            return "'\(fullKey(key))' is not set"
        }
        let value = declaration.value.map(\.inline) ?? "not set"
        return "'\(fullKey(key))' is \(value) (\(declaration.origin))"
    }

    /// The keys given that no read has asked for so far.
    private func givenKeys() -> [String] {
        var keys: [String] = []
        func collect(_ node: SettingNode, _ path: String) {
            if record.declarations[path] != nil { return }
            guard case .map(let map) = node.content else {
                keys.append(path)
                return
            }
            for (name, value) in map.entries {
                collect(value, path.isEmpty ? name : "\(path).\(name)")
            }
        }
        collect(record.tree.root, "")
        return keys
    }
}

extension String {
    fileprivate var withoutFinalStop: Substring {
        hasSuffix(".") ? dropLast() : self[...]
    }
}
