/// A single value in its own type, as YAML and Hydra's command line would read it.
package enum SettingScalar: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int)
    case double(Double)
    case string(String)

    /// Reads text that stood without quotes: `True`, `16`, `3e-5`, `null`, anything else a string.
    package init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        default:
            if let value = Self.integer(text) {
                self = .integer(value)
            } else if let value = Self.double(text) {
                self = .double(value)
            } else {
                self = .string(text)
            }
        }
    }

    /// The value as text; a double keeps every digit and its decimal point.
    package var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .double(let value): Self.text(of: value)
        case .string(let value): value
        }
    }

    /// Whether this is a string that would read back as something else without quotes.
    var needsQuotes: Bool {
        guard case .string(let text) = self else { return false }
        return Self(plain: text) != self
    }

    private static func integer(_ text: String) -> Int? {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        guard text.utf8.count - digits.count <= 1, let first = digits.first, let last = digits.last,
            isDigit(first), isDigit(last),
            digits.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: "_") })
        else { return nil }
        return Int(text.replacing("_", with: ""))
    }

    private static func double(_ text: String) -> Double? {
        switch text {
        case ".inf", "+.inf", ".Inf", "inf", "+inf": return .infinity
        case "-.inf", "-.Inf", "-inf": return -.infinity
        case ".nan", ".NaN", "nan": return .nan
        default: break
        }
        // Double(_:) also takes hexadecimal and words such as "infinity", which are strings here.
        let allowed = text.utf8.allSatisfy { isDigit($0) || "+-.eE".utf8.contains($0) }
        guard allowed, text.utf8.contains(where: isDigit) else { return nil }
        return Double(text)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func text(of value: Double) -> String {
        if value.isNaN { return ".nan" }
        if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
        let text = "\(value)"
        guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
        // Python's YAML reader takes "3e-05" for a string, but "3.0e-05" for a number.
        return text[..<exponent] + ".0" + text[exponent...]
    }
}

extension SettingScalar: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
}
