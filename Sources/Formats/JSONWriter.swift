/// How JSON text is laid out.
package struct JSONStyle: Sendable {
    /// What stands between elements: `", "`, or `","` when every element has its own line.
    package var itemSeparator: String
    /// What stands between a key and its value: `": "`.
    package var keySeparator: String
    /// Spaces a level, or nil for one line.
    package var indent: Int?
    /// Whether keys are sorted (by Unicode scalar, as Python does) instead of kept in order.
    package var sortsKeys: Bool

    /// A layout; the defaults are those of Python's `json.dumps(value, indent=indent)`.
    package init(
        itemSeparator: String? = nil, keySeparator: String = ": ", indent: Int? = nil,
        sortsKeys: Bool = false
    ) {
        self.itemSeparator = itemSeparator ?? (indent == nil ? ", " : ",")
        self.keySeparator = keySeparator
        self.indent = indent
        self.sortsKeys = sortsKeys
    }

    /// `{"a": 1, "b": [1, 2]}`
    package static let spaced = JSONStyle()
    /// `{"a":1,"b":[1,2]}`
    package static let compact = JSONStyle(itemSeparator: ",", keySeparator: ":")
    /// Two spaces a level, as the configuration files of models are written.
    package static let pretty = JSONStyle(indent: 2)
}

extension JSON {
    /// The text on one line as Python's `json.dumps` spaces it, or with two spaces a level.
    package func serialized(pretty: Bool = false) -> String {
        serialized(pretty ? .pretty : .spaced)
    }

    /// The text in a layout of one's own.
    ///
    /// Numbers read back to the same bits. NaN and the infinities, which JSON cannot say, become
    /// `null`: every reader accepts that, and a chart shows a gap. Text outside ASCII is written as
    /// it is.
    package func serialized(_ style: JSONStyle) -> String {
        var writer = JSONWriter(style: style)
        writer.write(self, level: 0)
        return String(decoding: writer.output, as: UTF8.self)
    }
}

private struct JSONWriter {
    let style: JSONStyle
    var output: [UInt8] = []

    init(style: JSONStyle) { self.style = style }

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .number(let value): append(value.isFinite ? value.description : "null")
        case .string(let value): quote(value)
        case .array(let elements): write(elements, level: level)
        case .object(let object): write(object, level: level)
        }
    }

    private mutating func write(_ elements: [JSON], level: Int) {
        guard !elements.isEmpty else { return append("[]") }
        append("[")
        for (position, element) in elements.enumerated() {
            if position > 0 { append(style.itemSeparator) }
            breakLine(level + 1)
            write(element, level: level + 1)
        }
        breakLine(level)
        append("]")
    }

    private mutating func write(_ object: JSONObject, level: Int) {
        guard !object.isEmpty else { return append("{}") }
        var entries = Array(object)
        if style.sortsKeys {
            entries.sort { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
        }
        append("{")
        for (position, entry) in entries.enumerated() {
            if position > 0 { append(style.itemSeparator) }
            breakLine(level + 1)
            quote(entry.key)
            append(style.keySeparator)
            write(entry.value, level: level + 1)
        }
        breakLine(level)
        append("}")
    }

    private mutating func breakLine(_ level: Int) {
        guard let indent = style.indent else { return }
        output.append(0x0A)
        output.append(contentsOf: repeatElement(0x20, count: indent * level))
    }

    private mutating func quote(_ text: String) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x08: append("\\b")
            case 0x09: append("\\t")
            case 0x0A: append("\\n")
            case 0x0C: append("\\f")
            case 0x0D: append("\\r")
            case 0x00..<0x20:
                append(byte < 0x10 ? "\\u000" : "\\u00")
                append(String(byte, radix: 16))
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ text: String) { output.append(contentsOf: text.utf8) }
}
