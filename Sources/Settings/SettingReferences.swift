/// Follows the references in a value: `${a.b}`, `${.sibling}`, `${..name}` one level further up,
/// `${oc.env:NAME,default}` and `${oc.select:a.b,default}`; `\${` is no reference.
///
/// A reference is followed when the value is read, so it may name a key that a later file or
/// argument sets. References that lead back to themselves are an error.
struct SettingReferences {
    /// All values given.
    let tree: SettingsTree
    /// The value of a key that was not given, where an earlier read declared its default.
    let declaredValue: (String) -> SettingNode?
    /// Whether `${NAME}` may name an environment variable, as it does in paths.
    let allowsEnvironment: Bool
    /// The keys that references led to.
    private(set) var visited: [String] = []
    private var open: [String] = []
    /// The names that lead to the value being resolved, for references such as `${.sibling}`.
    private var location: [String] = []

    /// Prepares to follow the references of values of one tree.
    init(
        tree: SettingsTree, allowsEnvironment: Bool = false,
        declaredValue: @escaping (String) -> SettingNode?
    ) {
        self.tree = tree
        self.allowsEnvironment = allowsEnvironment
        self.declaredValue = declaredValue
    }

    /// The value of a key with every reference in it replaced by what it refers to.
    mutating func resolve(_ node: SettingNode, at key: String) throws(SettingsError) -> SettingNode
    {
        guard !open.contains(key) else {
            let circle = (open + [key]).map { "'\($0)'" }.joined(separator: " to ")
            throw SettingsError("References go in a circle: \(circle) (\(node.origin)).")
        }
        let outer = location
        open.append(key)
        location = key.split(separator: ".").map(String.init)
        let resolved = try resolve(node)
        location = outer
        open.removeLast()
        return resolved
    }

    private mutating func resolve(_ node: SettingNode) throws(SettingsError) -> SettingNode {
        switch node.content {
        case .scalar(let text, _):
            return text.contains("${") ? try expand(text, node) : node
        case .list(let items):
            var resolved: [SettingNode] = []
            for item in items { resolved.append(try resolve(item)) }
            return SettingNode(.list(resolved), node.origin)
        case .map(let map):
            var resolved = SettingMap()
            for (name, value) in map.entries {
                location.append(name)
                resolved[name] = try resolve(value)
                location.removeLast()
            }
            return SettingNode(.map(resolved), node.origin)
        }
    }

    /// A text that is one reference becomes the value itself; otherwise texts are joined.
    private mutating func expand(_ text: String, _ node: SettingNode) throws(SettingsError)
        -> SettingNode
    {
        var joined = ""
        var rest = Substring(text)
        while let start = rest.firstRange(of: "${") {
            let before = rest[..<start.lowerBound]
            if before.last == "\\" {
                joined += before.dropLast() + "${"
                rest = rest[start.upperBound...]
                continue
            }
            guard let end = Self.closingBrace(in: rest, from: start.upperBound) else {
                throw SettingsError("'\(text)' (\(node.origin)) has a '${' without its '}'.")
            }
            let inside = SettingNode(
                .scalar(String(rest[start.upperBound..<end]), quoted: true), node.origin)
            guard case .scalar(let name, _) = try resolve(inside).content else {
                throw SettingsError("'\(text)' (\(node.origin)) has a list or map within '${...}'.")
            }
            let value = try value(of: name, for: node)
            let after = rest.index(after: end)
            if joined.isEmpty, start.lowerBound == text.startIndex, after == text.endIndex {
                return SettingNode(value.content, node.origin)
            }
            guard case .scalar(let part, _) = value.content else {
                throw SettingsError(
                    "'\(text)' (\(node.origin)) puts the list or map '\(name)' into a text.")
            }
            joined += before + part
            rest = rest[after...]
        }
        return SettingNode(.scalar(joined + rest, quoted: false), node.origin)
    }

    private mutating func value(of reference: String, for node: SettingNode) throws(SettingsError)
        -> SettingNode
    {
        guard let colon = reference.firstIndex(of: ":") else {
            if let value = try setting(reference) { return value }
            if allowsEnvironment, let value = tree.environment[reference] {
                return SettingNode(.scalar(value, quoted: true))
            }
            throw SettingsError(
                "${\(reference)} (\(node.origin)) refers to a key that is not set: set"
                    + " '\(reference)' or write the value itself.")
        }
        let parts = reference[reference.index(after: colon)...]
            .split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
            .map { String($0).trimmingSpaces() }
        let fallback = parts.count == 2 ? SettingNode(.scalar(parts[1], quoted: false)) : nil
        switch reference[..<colon] {
        case "oc.env":
            if let value = tree.environment[parts[0]] {
                return SettingNode(.scalar(value, quoted: false))
            }
            if let fallback { return fallback }
            throw SettingsError(
                "${\(reference)} (\(node.origin)) needs the environment variable '\(parts[0])',"
                    + " which is not set.")
        case "oc.select":
            return try setting(parts[0]) ?? fallback ?? SettingNode(SettingScalar.null)
        default:
            throw SettingsError(
                "${\(reference)} (\(node.origin)) is not a reference that is known here: write"
                    + " ${a.b}, ${oc.env:NAME,default} or ${oc.select:a.b,default}.")
        }
    }

    private mutating func setting(_ name: String) throws(SettingsError) -> SettingNode? {
        let levels = name.prefix { $0 == "." }.count
        let above = levels > 0 ? location.dropLast(levels) : []
        let key = (above + [String(name.dropFirst(levels))]).joined(separator: ".")
        guard let node = tree.root.node(at: key.split(separator: ".").map(String.init)) else {
            return declaredValue(key)
        }
        visited.append(key)
        return try resolve(node, at: key)
    }

    private static func closingBrace(in text: Substring, from start: String.Index) -> String.Index?
    {
        var depth = 1
        for index in text[start...].indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}

extension String {
    /// The text without the white space around it.
    fileprivate func trimmingSpaces() -> String {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
