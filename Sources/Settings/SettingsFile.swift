import Yams

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Reads one YAML or JSON file, with the files that its `defaults:` list names, into one tree.
struct SettingsFile {
    /// More than any configuration holds; a file that goes beyond it is an accident or an attack.
    private static let nodeLimit = 100_000

    private let path: String
    private var nodeCount = 0

    /// The tree of a file; `ancestors` are the files whose `defaults:` led here.
    static func tree(at path: String, ancestors: [String] = []) throws(SettingsError) -> SettingNode
    {
        guard !ancestors.contains(path) else {
            let chain = (ancestors + [path]).joined(separator: ", ")
            throw SettingsError("The configuration files include each other in a circle: \(chain).")
        }
        var file = SettingsFile(path: path)
        let own = try file.expandDottedNames(file.parse(readText(path)))
        guard let included = own.node(at: ["defaults"]) else { return own }
        let rest = own.replacing(["defaults"], with: nil)
        return try file.merge(rest, with: included, ancestors: ancestors + [path])
    }

    private init(path: String) {
        self.path = path
    }

    private static func readText(_ path: String) throws(SettingsError) -> String {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw SettingsError(
                "The configuration file '\(path)' cannot be read: there is no such file, or it is"
                    + " not open to you.")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("The configuration file '\(path)' is not text in UTF-8.")
        }
        return text
    }

    private mutating func parse(_ text: String) throws(SettingsError) -> SettingNode {
        let node: Node?
        do {
            node = try compose(yaml: text)
        } catch let error as YamlError {
            throw explain(error)
        } catch {
            throw SettingsError("The configuration file '\(path)' is not valid YAML: \(error).")
        }
        let start = SettingOrigin.file(path, line: 1)
        guard let node else { return SettingNode(.map(SettingMap()), start) }
        let tree = try convert(node)
        if case .map = tree.content { return tree }
        if tree.isNull { return SettingNode(.map(SettingMap()), start) }
        throw SettingsError(
            "The configuration file '\(path)' must hold keys with values such as 'data:', but its"
                + " top level is not a map.")
    }

    private mutating func convert(_ node: Node) throws(SettingsError) -> SettingNode {
        nodeCount += 1
        guard nodeCount <= Self.nodeLimit else {
            throw SettingsError(
                "The configuration file '\(path)' holds more than \(Self.nodeLimit) values.")
        }
        let origin = SettingOrigin.file(path, line: node.mark?.line ?? 1)
        switch node {
        case .scalar(let scalar):
            return SettingNode(.scalar(scalar.string, quoted: scalar.style != .plain), origin)
        case .sequence(let items):
            var list: [SettingNode] = []
            for item in items { list.append(try convert(item)) }
            return SettingNode(.list(list), origin)
        case .mapping(let pairs):
            return SettingNode(.map(try convert(pairs)), origin)
        case .alias:
            throw SettingsError("\(origin): this alias (*name) has no anchor (&name) before it.")
        }
    }

    private mutating func convert(_ pairs: Node.Mapping) throws(SettingsError) -> SettingMap {
        var map = SettingMap()
        for (key, value) in pairs {
            let line = key.mark?.line ?? 1
            guard let name = key.scalar?.string else {
                throw SettingsError(
                    "\(path) line \(line): a key must be a name, not a list or map.")
            }
            var node = try convert(value)
            if name == "<<", key.scalar?.style == .plain {
                try mergeAnchored(node, into: &map)
                continue
            }
            // An empty value has its mark on the next line: the key's own line is the one to name.
            node.origin = .file(path, line: line)
            map[name] = node
        }
        return map
    }

    /// YAML's merge key: `<<: *anchor` or `<<: [*one, *two]` gives the names not set here.
    private func mergeAnchored(_ node: SettingNode, into map: inout SettingMap)
        throws(SettingsError)
    {
        switch node.content {
        case .map(let anchored):
            for (name, value) in anchored.entries where map[name] == nil { map[name] = value }
        case .list(let items):
            for item in items { try mergeAnchored(item, into: &map) }
        case .scalar:
            throw SettingsError("\(node.origin): '<<' needs a map, such as '<<: *name'.")
        }
    }

    /// Lets a file be written flat: `data.train_batch_size: 8` at the top level means the nested key.
    private func expandDottedNames(_ tree: SettingNode) throws(SettingsError) -> SettingNode {
        guard case .map(let map) = tree.content else { return tree }
        var expanded = SettingNode(.map(SettingMap()), tree.origin)
        for (name, value) in map.entries {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(
                String.init)
            guard !parts.contains("") else {
                throw SettingsError("\(value.origin): '\(name)' is not a key such as 'data.seed'.")
            }
            let branch = SettingNode(.map(SettingMap()), value.origin)
            expanded = expanded.merged(with: branch.replacing(parts, with: value))
        }
        return expanded
    }

    /// Hydra's `defaults:` list: files beside this one, and `_self_` for the place of its own keys.
    private func merge(_ own: SettingNode, with included: SettingNode, ancestors: [String])
        throws(SettingsError) -> SettingNode
    {
        var entries = try DefaultsEntry.list(included)
        if !entries.contains(where: \.isSelf) { entries.append(.own(own.origin)) }
        var result = SettingNode(.map(SettingMap()), own.origin)
        for entry in entries {
            let tree = entry.isSelf ? own : try include(entry, ancestors)
            result = result.merged(with: tree)
        }
        return result
    }

    private func include(_ entry: DefaultsEntry, _ ancestors: [String])
        throws(SettingsError) -> SettingNode
    {
        var folder = ""
        if let slash = path.lastIndex(of: "/"), !entry.file.hasPrefix("/") {
            folder = String(path[...slash])
        }
        // A folder may have the name of the file without its ending.
        let candidates = [".yaml", ".yml", ""].map { folder + entry.file + $0 }
        let file = candidates.first(where: FileManager.default.fileExists(atPath:))
        if let file {
            let tree = try Self.tree(at: file, ancestors: ancestors)
            return try Self.isGlobal(file) ? tree : entry.placed(tree)
        }
        guard entry.mayBeMissing else {
            throw SettingsError(
                "\(entry.origin): 'defaults' names '\(entry.file)', but there is no file"
                    + " '\(candidates[0])'.")
        }
        return SettingNode(.map(SettingMap()), entry.origin)
    }

    /// Whether a file's first lines put its keys at the root, wherever it is included.
    private static func isGlobal(_ path: String) throws(SettingsError) -> Bool {
        let head = try readText(path).split(separator: "\n").prefix { $0.hasPrefix("#") }
        return head.contains { $0.contains("@package _global_") }
    }

    private func explain(_ error: YamlError) -> SettingsError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return SettingsError("\(path) line \(mark.line): this is not valid YAML: \(problem).")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "'\($0)'" }.joined(separator: ", ")
            return SettingsError(
                "\(path) line \(context.mark.line): the group that starts here has \(names) twice;"
                    + " keep one.")
        default:
            return SettingsError("The configuration file '\(path)' is not valid YAML: \(error).")
        }
    }
}
