package import Settings

extension KnownSettings {
    /// What a key does, its type, its default and its value now, in a few lines; or the keys of a
    /// group. The end of a key will do: `lora_rank`.
    ///
    /// - Throws: where no key is meant, with the nearest one.
    package func explanation(of name: String) throws(SettingsError) -> String {
        let exact = declarations.filter { $0.key == name }
        let members = declarations.filter { $0.key.hasPrefix(name + ".") }
        if let first = exact.first, members.isEmpty || first.effect == .works {
            return explain(first)
        }
        if !members.isEmpty { return list(exact + members, group: name) }
        let endings = declarations.filter { $0.key.hasSuffix("." + name) }
        if !endings.isEmpty { return endings.map(explain).joined(separator: "\n\n") }
        if let group = shortenedGroup(name) { return try explanation(of: group) }
        if let group = enclosingGroup(of: name) { return explain(group) }
        let nearest = NearestName.suggestion(for: name, among: declarations.map(\.key))
        throw SettingsError(
            "There is no key '\(name)'; "
                + (nearest.map { "did you mean '\($0)'?" } ?? "no known key is like it."))
    }

    /// The whole name of a group whose beginning was left out: `actor.optim`.
    private func shortenedGroup(_ name: String) -> String? {
        let key = declarations.first { $0.key.contains("." + name + ".") }?.key
        guard let range = key?.firstRange(of: "." + name + "."), let key else { return nil }
        return String(key[..<range.lowerBound]) + "." + name
    }

    /// The group without effect that a key lies in.
    private func enclosingGroup(of name: String) -> SettingDeclaration? {
        declarations.first { $0.effect != .works && name.hasPrefix($0.key + ".") }
    }

    private func explain(_ key: SettingDeclaration) -> String {
        var lines = [key.key]
        switch key.effect {
        case .works:
            lines.append("  \(key.help)")
            lines.append("  type     \(key.shortType)")
            let value = key.derivation ?? key.defaultValue?.flow ?? "none: it must be given"
            lines.append("  default  \(value)")
            let isGiven = key.value?.isMissingMark != true
            let origin = key.origin == .byDefault ? "" : "  (\(key.origin))"
            lines.append("  value    \(isGiven ? (key.value?.flow ?? "null") : "none")\(origin)")
        case .none: lines.append("  Known, but without effect here: \(key.help).")
        case .limited: lines.append("  Only \(key.type) is possible here: \(key.help).")
        }
        if key.effect != .works, key.origin != .byDefault {
            lines.append("  given    \(key.origin)")
        }
        return lines.joined(separator: "\n")
    }

    private func list(_ keys: [SettingDeclaration], group: String) -> String {
        let working = keys.filter { $0.effect == .works }
        var lines = [group]
        for key in working {
            lines.append("  \(key.key.dropFirst(group.count + 1)): \(key.value?.flow ?? "null")")
            lines.append("      \(key.help)")
        }
        for key in keys where key.effect == .limited {
            lines.append(
                "  \(key.key.dropFirst(group.count + 1)): only \(key.type); \(key.help)")
        }
        let others = keys.filter { $0.effect == .none }.map {
            $0.key == group ? "all others" : String($0.key.dropFirst(group.count + 1))
        }
        if !others.isEmpty {
            lines.append("  without effect here: " + joinedByGroup(others).joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }
}

extension SettingDeclaration {
    /// The type without the limit that every count has.
    var shortType: String { type.replacing(" and below 2^31", with: "") }
}
