/// One entry of Hydra's `defaults:` list: which file is included, and below which keys.
///
/// `name`, `group: name`, `group@a.b: name` and `group@a.b` are known, with `optional` or
/// `override` before them.
struct DefaultsEntry {
    /// The file without its ending, as it is written: "optim/fsdp".
    let file: String
    /// The keys below which the file's own are put.
    let package: [String]
    let origin: SettingOrigin
    private let isOptional: Bool

    /// verl's own trainers, whose values are the defaults here.
    private static let builtIn: Set = [
        "ppo_trainer", "ppo_megatron_trainer", "sft_trainer", "sft_trainer_engine",
    ]

    /// Whether this stands for the including file's own keys.
    var isSelf: Bool { file == "_self_" }

    /// Whether nothing is lost where there is no such file.
    var mayBeMissing: Bool { isOptional || Self.builtIn.contains(file) }

    /// The place of the file's own keys.
    static func own(_ origin: SettingOrigin) -> DefaultsEntry {
        DefaultsEntry(file: "_self_", package: [], origin: origin, isOptional: false)
    }

    /// Reads the whole list; choices of a group stand in for `${group}` in later names.
    static func list(_ node: SettingNode) throws(SettingsError) -> [DefaultsEntry] {
        guard case .list(let items) = node.content else {
            throw SettingsError("\(node.origin): 'defaults' must be a list of file names.")
        }
        var choices: [String: String] = [:]
        var entries: [DefaultsEntry] = []
        for item in items { entries += try read(item, &choices) }
        return entries
    }

    private static func read(_ item: SettingNode, _ choices: inout [String: String])
        throws(SettingsError) -> [DefaultsEntry]
    {
        switch item.content {
        case .scalar(let text, _) where !item.isNull:
            let (name, package, isOptional) = parts(of: text)
            return [
                DefaultsEntry(
                    file: name, package: package ?? [], origin: item.origin,
                    isOptional: isOptional)
            ]
        case .map(let map) where map.keys.count == 1:
            guard let (key, value) = map.entries.first, !key.hasPrefix("override hydra/") else {
                return []
            }
            let (group, package, isOptional) = parts(of: key)
            var entries: [DefaultsEntry] = []
            for option in try options(value) {
                var name = option
                for (group, choice) in choices {
                    name = name.replacing("${\(group)}", with: choice)
                }
                choices[group] = name
                entries.append(
                    DefaultsEntry(
                        file: "\(group)/\(name)",
                        package: package ?? group.split(separator: "/").map(String.init),
                        origin: item.origin, isOptional: isOptional))
            }
            return entries
        default:
            throw SettingsError(
                "\(item.origin): an entry of 'defaults' must be the name of a file, or 'group: name'."
            )
        }
    }

    private static func options(_ value: SettingNode) throws(SettingsError) -> [String] {
        if value.isNull { return [] }
        switch value.content {
        case .scalar(let name, _): return [name]
        case .list(let items):
            var names: [String] = []
            for item in items { names += try options(item) }
            return names
        case .map:
            throw SettingsError("\(value.origin): an entry of 'defaults' names a file, not a map.")
        }
    }

    /// `optional group@a.b` as its parts; the package is nil where none is written.
    private static func parts(of text: String) -> (String, [String]?, isOptional: Bool) {
        var rest = Substring(text)
        var isOptional = false
        for word in ["optional ", "override "] where rest.hasPrefix(word) {
            rest = rest.dropFirst(word.count)
            isOptional = isOptional || word == "optional "
        }
        guard let at = rest.firstIndex(of: "@") else { return (String(rest), nil, isOptional) }
        let package = rest[rest.index(after: at)...]
        let names = package.split(separator: ".").map(String.init)
        let isRoot = package == "_global_" || package == "_here_"
        return (String(rest[..<at]), isRoot ? [] : names, isOptional)
    }

    /// A file's keys below this entry's package.
    func placed(_ tree: SettingNode) -> SettingNode {
        guard !package.isEmpty else { return tree }
        return SettingNode(.map(SettingMap()), tree.origin).replacing(package, with: tree)
    }
}
