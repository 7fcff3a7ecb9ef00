extension SettingNode {
    /// The value in one line, as messages quote it; long lists and maps are cut.
    var inline: String {
        let text: String
        switch content {
        case .scalar(let value, let quoted):
            if isNull { return "null" }
            text = quoted || scalar == .string(value) ? "'\(value)'" : value
        case .list, .map: text = flow
        }
        return text.count > 80 ? text.prefix(77) + "..." : text
    }

    /// The tree as YAML text, one key a line, which reads back as the same tree.
    package var yaml: String { yaml(withOrigins: false) }

    /// The tree as YAML text; a comment says where a value was written, unless it is a default.
    package func yaml(withOrigins: Bool) -> String {
        var lines: [String] = []
        write(into: &lines, indent: "", withOrigins)
        return lines.joined(separator: "\n") + "\n"
    }

    /// The tree as JSON text in one line; infinities and not-a-number become strings.
    package var json: String {
        switch content {
        case .scalar(let text, _):
            switch scalar {
            case .null, nil: return "null"
            case .string: return Self.quote(text)
            case .double(let value) where !value.isFinite: return Self.quote(text)
            case .bool(let value): return value ? "true" : "false"
            case .integer(let value): return String(value)
            case .double(let value): return "\(value)"
            }
        case .list(let items):
            return "[" + items.map(\.json).joined(separator: ",") + "]"
        case .map(let map):
            let pairs = map.entries.map { Self.quote($0.name) + ":" + $0.value.json }
            return "{" + pairs.joined(separator: ",") + "}"
        }
    }

    private func write(into lines: inout [String], indent: String, _ withOrigins: Bool) {
        guard case .map(let map) = content, !map.keys.isEmpty else {
            lines.append(indent + flow)
            return
        }
        for (name, value) in map.entries {
            let key = indent + Self.plainOrQuoted(name)
            if case .map(let inner) = value.content, !inner.keys.isEmpty {
                lines.append(key + ":")
                value.write(into: &lines, indent: indent + "  ", withOrigins)
            } else {
                lines.append(key + ": " + value.flow + (withOrigins ? value.origin.comment : ""))
            }
        }
    }

    /// YAML's one-line notation.
    package var flow: String {
        switch content {
        case .scalar(let text, let quoted):
            return quoted ? Self.quote(text) : Self.plainOrQuoted(text)
        case .list(let items):
            return "[" + items.map(\.flow).joined(separator: ", ") + "]"
        case .map(let map):
            let pairs = map.entries.map { Self.plainOrQuoted($0.name) + ": " + $0.value.flow }
            return "{" + pairs.joined(separator: ", ") + "}"
        }
    }

    private static func plainOrQuoted(_ text: String) -> String {
        let inner = { (byte: UInt8) in isWord(byte) || "./+-=@".utf8.contains(byte) }
        guard let first = text.utf8.first, isWord(first) || "./-+".utf8.contains(first),
            text.utf8.allSatisfy(inner), text != "-"
        else { return quote(text) }
        return text
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Text in double quotes, escaped so that both JSON and YAML read it back.
    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension SettingOrigin {
    /// What follows a value of this origin in a file.
    fileprivate var comment: String {
        switch self {
        case .file: "  # \(self)"
        case .argument: "  # command line"
        case .byDefault: ""
        }
    }
}
