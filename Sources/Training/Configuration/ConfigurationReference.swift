package import Settings

/// Every key of every trainer as a page in Markdown, made from the declarations that read them.
package func configurationReference() throws(SettingsError) -> String {
    var page = """
        # Every setting

        `lorikeet train` and `lorikeet sft` read the keys of verl's trainers: YAML files, and
        `key=value` to override them. This page is made from the code that reads the keys;
        `lorikeet config --explain KEY` says the same of one key, with its value in your
        configuration. Make it again with

        ```sh
        swift run lorikeet config --reference > Documentation/Configuration.md
        ```

        A key that is not on this page is an error that names the nearest one.

        """ + howConfigurationsAreWritten + otherDefaultsThanVerls
    for trainer in KnownSettings.Trainer.allCases {
        let known = try KnownSettings(trainer, arguments: [], environment: [:])
        if let problem = known.problem { throw problem }
        page += "\n## `lorikeet \(trainer.rawValue)`\n" + workingKeys(known.declarations)
        page += limitedKeys(known.declarations) + keysWithoutEffect(known.declarations)
    }
    return page
}

private func workingKeys(_ declarations: [SettingDeclaration]) -> String {
    var groups: [String] = []
    var rows: [String: [String]] = [:]
    for key in declarations where key.effect == .works {
        let names = key.key.split(separator: ".")
        let group = names.dropLast().joined(separator: ".")
        if rows[group] == nil { groups.append(group) }
        let value =
            key.derivation ?? key.defaultValue.map { "`\($0.flow)`" } ?? "must be given"
        rows[group, default: []].append(
            row("`\(names.last ?? "")`", key.shortType, value, key.help))
    }
    return groups.map { group in
        "\n### \(group.isEmpty ? "At the top" : "`\(group)`")\n"
            + row("key", "type", "default", "meaning") + row("---", "---", "---", "---")
            + (rows[group] ?? []).joined()
    }.joined()
}

private func limitedKeys(_ declarations: [SettingDeclaration]) -> String {
    let rows = declarations.filter { $0.effect == .limited }.map {
        row("`\($0.key)`", $0.type, $0.help)
    }
    return "\n### Keys of verl that ask for what is not there\n"
        + "Any value but the one named here is an error.\n\n"
        + row("key", "possible here", "reason") + row("---", "---", "---") + rows.joined()
}

private func keysWithoutEffect(_ declarations: [SettingDeclaration]) -> String {
    var reasons: [String] = []
    var keys: [String: [String]] = [:]
    for key in declarations where key.effect == .none {
        if keys[key.help] == nil { reasons.append(key.help) }
        keys[key.help, default: []].append(key.key)
    }
    let rows = reasons.map { reason in
        row(reason, joinedByGroup(keys[reason] ?? []).map { "`\($0)`" }.joined(separator: ", "))
    }
    return "\n### Keys of verl without effect here\n"
        + "They may be given; the start of the run says why they do nothing. A key names its whole"
        + " group where it has one.\n\n" + row("as", "keys") + row("---", "---") + rows.joined()
}

private func row(_ cells: String...) -> String {
    "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
}
