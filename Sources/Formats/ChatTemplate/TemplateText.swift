/// How Python writes values: `str()`, `repr()` and `json.dumps()`.
enum TemplateText {
    /// What `{{ value }}` puts out.
    static func shown(_ value: TemplateValue) -> String {
        switch value {
        case .undefined: ""
        case .string(let text): text
        default: represented(value)
        }
    }

    /// The value as Python's `repr` writes it.
    static func represented(_ value: TemplateValue) -> String {
        switch value {
        case .undefined: "Undefined"
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .number(let value): represented(value)
        case .string(let text): quoted(text)
        case .list(let values): "[" + values.map { represented($0) }.joined(separator: ", ") + "]"
        case .dictionary(let dictionary):
            "{"
                + dictionary.entries.map { "\(represented($0.key)): \(represented($0.value))" }
                .joined(separator: ", ") + "}"
        case .namespace: "<Namespace>"
        case .loop(let state): "<LoopContext \(state.index + 1)/\(state.items.count)>"
        case .macro(let macro): "<Macro '\(macro.macro.name)'>"
        case .function(let name), .method(_, let name): "<function \(name)>"
        }
    }

    /// A number as Python writes it: plain from 0.0001 to below 1e16.
    static func represented(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let text = value.description
        guard let mark = text.firstIndex(of: "e"),
            let exponent = Int(text[text.index(after: mark)...]), (0..<16).contains(exponent)
        else { return text }
        let sign = value < 0 ? "-" : ""
        let digits = text[..<mark].filter { $0 != "." && $0 != "-" }
        let zeros = String(repeating: "0", count: max(0, exponent + 1 - digits.count))
        return "\(sign)\(digits)\(zeros).0"
    }

    /// A text with the quotes and escapes Python chooses.
    private static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar =
            text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(UInt8(ascii: "\""))
            ? "\"" : "'"
        var result = String.UnicodeScalarView([quote])
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\": result += ["\\", scalar]
            case "\n": result += ["\\", "n"]
            case "\r": result += ["\\", "r"]
            case "\t": result += ["\\", "t"]
            default:
                if scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value)
                    || scalar.value == 0xAD
                {
                    result += Array("\\x\(hexadecimal(scalar.value, digits: 2))".unicodeScalars)
                } else {
                    result.append(scalar)
                }
            }
        }
        result.append(quote)
        return String(result)
    }

    static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}

/// Writes values as `json.dumps` does.
struct TemplateJSONWriter {
    /// What a level is indented by; nil for one line.
    var indent: String?
    var itemSeparator: String
    var keySeparator = ": "
    var escapesNonASCII = false
    var sortsKeys = false

    /// Throws a text that says what cannot be written.
    func text(of value: TemplateValue, level: Int = 0) throws(TemplateProblem) -> String {
        guard level <= 200 else { throw TemplateProblem("more than 200 values within one another") }
        switch value {
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .number(let value):
            if value.isFinite { return TemplateText.represented(value) }
            return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
        case .string(let text): return quoted(text)
        case .list(let values):
            var items: [String] = []
            for value in values { items.append(try text(of: value, level: level + 1)) }
            return enclosed(items, "[", "]", level: level)
        case .dictionary(let dictionary): return try text(of: dictionary, level: level)
        default: throw TemplateProblem("tojson cannot write \(value.kind)")
        }
    }

    private func text(
        of dictionary: TemplateDictionary, level: Int
    ) throws(TemplateProblem) -> String {
        var items: [(key: String, text: String)] = []
        for (key, value) in dictionary.entries {
            let name: String
            switch key {
            case .string(let text): name = text
            case .none, .bool, .integer, .number: name = try text(of: key)
            default: throw TemplateProblem("tojson cannot write a key that is \(key.kind)")
            }
            let item = quoted(name) + keySeparator + (try text(of: value, level: level + 1))
            items.append((name, item))
        }
        if sortsKeys {
            items.sort { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
        }
        return enclosed(items.map(\.text), "{", "}", level: level)
    }

    private func enclosed(_ items: [String], _ open: String, _ close: String, level: Int) -> String
    {
        guard let indent, !items.isEmpty else {
            return open + items.joined(separator: itemSeparator) + close
        }
        let outer = "\n" + String(repeating: indent, count: level)
        let inner = outer + indent
        return open + inner + items.joined(separator: itemSeparator + inner) + outer + close
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            default:
                if scalar.value < 0x20 || (escapesNonASCII && scalar.value > 0x7E) {
                    let units =
                        scalar.value < 0x20 ? [UInt16(scalar.value)] : Array(String(scalar).utf16)
                    for unit in units {
                        result += "\\u" + TemplateText.hexadecimal(UInt32(unit), digits: 4)
                    }
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

/// What is wrong with an operation; the interpreter adds the template's name and line.
struct TemplateProblem: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
