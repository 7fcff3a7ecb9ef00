/// How one kind of value is read from a node and written back, with the words that describe it.
struct SettingType<Value> {
    /// With article and limits: "an integer of at least 1".
    let words: String
    /// For lists and maps: "integers".
    let plural: String
    /// Whether `${NAME}` may be an environment variable.
    var allowsEnvironment = false
    /// Whether null stands for the default, as it does for lists.
    var emptyStandsForNull = false
    /// The value of a node, or nil when the node is of another kind or out of the limits.
    let value: (SettingNode) -> Value?
    /// The node that stands for a value in the resolved configuration.
    let node: (Value) -> SettingNode
}

extension SettingType<Int> {
    static func integer(_ limits: SettingLimits<Int>) -> Self {
        Self(
            words: "an integer" + limits.words, plural: "integers",
            value: { node in
                guard case .integer(let value) = node.scalar, limits.contains(value) else {
                    return nil
                }
                return value
            },
            node: { SettingNode(.integer($0)) })
    }
}

extension SettingType<Double> {
    static func number(_ limits: SettingLimits<Double>) -> Self {
        Self(
            words: "a number" + limits.words, plural: "numbers",
            value: { node in
                let value: Double
                switch node.scalar {
                case .integer(let integer): value = Double(integer)
                case .double(let double): value = double
                default: return nil
                }
                return limits.contains(value) ? value : nil
            },
            node: { SettingNode(.double($0)) })
    }
}

extension SettingType<Bool> {
    static var bool: Self {
        Self(
            words: "true or false", plural: "truth values",
            value: { node in
                guard case .bool(let value) = node.scalar else { return nil }
                return value
            },
            node: { SettingNode(.bool($0)) })
    }
}

extension SettingType<String> {
    static var string: Self {
        Self(
            words: "a text", plural: "texts",
            value: { node in
                guard case .scalar(let text, _) = node.content, !node.isNull else { return nil }
                return text
            },
            node: { SettingNode(.string($0)) })
    }

    static func path(_ environment: [String: String]) -> Self {
        Self(
            words: "a path", plural: "paths", allowsEnvironment: true,
            value: { node in
                guard case .scalar(let text, _) = node.content, !text.isEmpty, !node.isNull else {
                    return nil
                }
                return PathVariables.expand(text, environment)
            },
            node: { SettingNode(.string($0.replacing("$", with: "\\$"))) })
    }

    static func choice(_ names: [String]) -> Self {
        Self(
            words: names.count == 1 ? "'\(names[0])'" : "one of " + names.joined(separator: ", "),
            plural: "names out of " + names.joined(separator: ", "),
            value: { node in
                guard case .scalar(let text, _) = node.content else { return nil }
                return names.contains(text) ? text : nil
            },
            node: { SettingNode(.string($0)) })
    }
}

extension SettingType {
    static func list<Element>(of element: SettingType<Element>) -> Self where Value == [Element] {
        Self(
            words: "a list of " + element.plural, plural: "lists",
            allowsEnvironment: element.allowsEnvironment, emptyStandsForNull: true,
            value: { node in
                guard case .list(let items) = node.content else {
                    // One value without brackets is a list of one, as in data.train_files=a.jsonl.
                    return element.value(node).map { [$0] }
                }
                let values = items.compactMap(element.value)
                return values.count == items.count ? values : nil
            },
            node: { values in SettingNode(.list(values.map(element.node))) })
    }
}

/// Replaces a leading `~` and `$NAME` in paths by the environment's values; `\$` is a dollar sign.
enum PathVariables {
    /// The path with its variables replaced; a variable that is not set stays as it is written.
    static func expand(_ path: String, _ environment: [String: String]) -> String {
        var rest = Substring(path)
        var expanded = ""
        if rest == "~" || rest.hasPrefix("~/"), let home = environment["HOME"] {
            expanded = home
            rest = rest.dropFirst()
        }
        while let dollar = rest.firstIndex(of: "$") {
            expanded += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if expanded.last == "\\" {
                expanded.removeLast()
                expanded.append("$")
                continue
            }
            let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            expanded += environment[String(name)] ?? "$\(name)"
            rest = rest[name.endIndex...]
        }
        return expanded + rest
    }
}
