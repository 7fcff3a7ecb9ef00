import Settings

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
        let names = joinedByGroup(keys[reason] ?? [], longest: 240)
        return "without effect, as \(reason): " + names.joined(separator: ", ")
    }
}

/// The keys with those of one group as `group.{one, other}`.
///
/// - Parameters:
///   - longest: letters after which further keys are only counted; nil for all of them.
func joinedByGroup(_ keys: [String], longest: Int? = nil) -> [String] {
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
    for group in groups where length < longest ?? .max {
        let text = name(group, names[group] ?? [], isShort: longest != nil)
        length += text.utf8.count
        shown += names[group]?.count ?? 0
        joined.append(text)
    }
    return shown == keys.count ? joined : joined + ["and \(keys.count - shown) more"]
}

private func name(_ group: String, _ keys: [String], isShort: Bool) -> String {
    if group.isEmpty { return keys.joined(separator: ", ") }
    if keys.count == 1 { return "\(group).\(keys[0])" }
    if isShort, keys.count > 8 { return "\(group).* (\(keys.count) keys)" }
    return "\(group).{\(keys.joined(separator: ", "))}"
}
