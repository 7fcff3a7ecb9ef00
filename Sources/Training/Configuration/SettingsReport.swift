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

/// One line for each reason, with the keys that it holds for.
///
/// `actor_rollout_ref.` is left out before the names of the roles, and keys of one group are
/// written together, so that a long command stays readable.
func unusedSettingNotices(_ unused: [UnusedSetting]) -> [String] {
    var reasons: [String] = []
    var keys: [String: [String]] = [:]
    for setting in unused {
        if keys[setting.reason] == nil { reasons.append(setting.reason) }
        let name = setting.key.replacing(/^actor_rollout_ref\./, with: "")
        if keys[setting.reason]?.contains(name) != true {
            keys[setting.reason, default: []] += [name]
        }
    }
    return reasons.map { reason in
        let names = joinedByGroup(keys[reason] ?? [])
        return "without effect, as \(reason): " + names.joined(separator: ", ")
    }
}

/// The keys with those of one group as `group.{one, other}`, as far as three lines hold them.
private func joinedByGroup(_ keys: [String]) -> [String] {
    var groups: [String] = []
    var names: [String: [String]] = [:]
    for key in keys {
        let parts = key.split(separator: ".")
        let group = parts.dropLast().joined(separator: ".")
        if names[group] == nil { groups.append(group) }
        names[group, default: []].append(String(parts.last ?? ""))
    }
    var joined: [String] = []
    var (length, shown) = (0, 0)
    for group in groups where length < 240 {
        let text = name(group, names[group] ?? [])
        length += text.utf8.count
        shown += names[group]?.count ?? 0
        joined.append(text)
    }
    return shown == keys.count ? joined : joined + ["and \(keys.count - shown) more"]
}

private func name(_ group: String, _ keys: [String]) -> String {
    if group.isEmpty { return keys.joined(separator: ", ") }
    if keys.count == 1 { return "\(group).\(keys[0])" }
    if keys.count > 8 { return "\(group).* (\(keys.count) keys)" }
    return "\(group).{\(keys.joined(separator: ", "))}"
}
