extension JSON {
    /// Reads one JSON document (RFC 8259, and the `NaN`, `Infinity` and `-Infinity` that Python
    /// writes).
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text.
    ///   - name: the file, for messages: «config.json: line 3, column 7: expected a value, found
    ///     '}'».
    package init(parsing bytes: [UInt8], name: String) throws(FormatError) {
        var parser = JSONParser(bytes: bytes, name: name)
        self = try parser.document()
    }

    /// Reads a document that begins at a later line of its file, or in which no key may stand
    /// twice.
    init(
        parsing bytes: [UInt8], name: String, firstLine: Int = 1, refusesDuplicateKeys: Bool
    ) throws(FormatError) {
        var parser = JSONParser(
            bytes: bytes, name: name, firstLine: firstLine,
            refusesDuplicateKeys: refusesDuplicateKeys)
        self = try parser.document()
    }
}

/// A recursive-descent reader over bytes: no `Character`, no allocation but for the values
/// themselves.
private struct JSONParser {
    private let bytes: [UInt8]
    private let name: String
    private let firstLine: Int
    private let refusesDuplicateKeys: Bool
    private var position = 0
    private var depth = 0

    /// Deeper nesting is refused, so that a hostile file cannot exhaust the stack.
    private static let maximumDepth = 200

    init(bytes: [UInt8], name: String, firstLine: Int = 1, refusesDuplicateKeys: Bool = false) {
        self.bytes = bytes
        self.name = name
        self.firstLine = firstLine
        self.refusesDuplicateKeys = refusesDuplicateKeys
    }

    mutating func document() throws(FormatError) -> JSON {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        skipWhitespace()
        let value = try value()
        skipWhitespace()
        if position < bytes.count { throw unexpected("nothing more after the value") }
        return value
    }

    private mutating func value() throws(FormatError) -> JSON {
        guard position < bytes.count else { throw unexpected("a value") }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "N"): return try word("NaN", .number(.nan))
        case UInt8(ascii: "I"): return try word("Infinity", .number(.infinity))
        default: throw unexpected("a value")
        }
    }

    private mutating func object() throws(FormatError) -> JSON {
        try enter()
        var object = JSONObject()
        if take(UInt8(ascii: "}")) { return leave(.object(object)) }
        while true {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw unexpected("a key in double quotes")
            }
            let start = position
            let key = try string()
            if refusesDuplicateKeys, object[key] != nil {
                throw failure("the key \"\(key)\" stands twice in one object", at: start)
            }
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("':' after a key") }
            object[key] = try value()
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return leave(.object(object)) }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or '}'") }
        }
    }

    private mutating func array() throws(FormatError) -> JSON {
        try enter()
        var elements: [JSON] = []
        if take(UInt8(ascii: "]")) { return leave(.array(elements)) }
        while true {
            elements.append(try value())
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return leave(.array(elements)) }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or ']'") }
        }
    }

    private mutating func enter() throws(FormatError) {
        depth += 1
        if depth > Self.maximumDepth {
            throw failure("nested deeper than \(Self.maximumDepth) levels", at: position)
        }
        position += 1
        skipWhitespace()
    }

    private mutating func leave(_ value: JSON) -> JSON {
        depth -= 1
        return value
    }

    private mutating func word(_ text: String, _ value: JSON) throws(FormatError) -> JSON {
        guard bytes[position...].starts(with: text.utf8) else { throw unexpected("a value") }
        position += text.utf8.count
        return value
    }

    /// Takes a structural byte and the white space after it.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        if byte != UInt8(ascii: "}"), byte != UInt8(ascii: "]") { skipWhitespace() }
        return true
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }
}

// MARK: - Strings

extension JSONParser {
    /// Reads a string whose opening quote stands at `position`.
    private mutating func string() throws(FormatError) -> String {
        let start = position + 1
        var end = start
        while end < bytes.count {
            switch bytes[end] {
            case UInt8(ascii: "\""):
                position = end + 1
                return try text(bytes[start..<end], at: start)
            case UInt8(ascii: "\\"):
                return try escapedString(from: start, firstEscape: end)
            case 0x00..<0x20:
                throw failure("a control character in a string must be escaped", at: end)
            default: end += 1
            }
        }
        throw failure("the string that begins here never ends", at: start - 1)
    }

    /// The rest of a string that holds at least one escape.
    private mutating func escapedString(
        from start: Int, firstEscape: Int
    ) throws(FormatError) -> String {
        var unescaped = Array(bytes[start..<firstEscape])
        position = firstEscape
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(unescaped[...], at: start)
            case UInt8(ascii: "\\"):
                try escape(into: &unescaped)
            case 0x00..<0x20:
                throw failure("a control character in a string must be escaped", at: position)
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw failure("the string that begins here never ends", at: start - 1)
    }

    private mutating func escape(into unescaped: inout [UInt8]) throws(FormatError) {
        guard position + 1 < bytes.count else {
            throw failure("an escape is cut off", at: position)
        }
        let replacement: UInt8
        switch bytes[position + 1] {
        case UInt8(ascii: "\""): replacement = UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): replacement = UInt8(ascii: "\\")
        case UInt8(ascii: "/"): replacement = UInt8(ascii: "/")
        case UInt8(ascii: "b"): replacement = 0x08
        case UInt8(ascii: "f"): replacement = 0x0C
        case UInt8(ascii: "n"): replacement = 0x0A
        case UInt8(ascii: "r"): replacement = 0x0D
        case UInt8(ascii: "t"): replacement = 0x09
        case UInt8(ascii: "u"):
            unescaped.append(contentsOf: String(Character(try unicodeEscape())).utf8)
            return
        default: throw failure("an unknown escape in a string", at: position)
        }
        unescaped.append(replacement)
        position += 2
    }

    /// Reads `\uXXXX`, or the two of a surrogate pair.
    private mutating func unicodeEscape() throws(FormatError) -> Unicode.Scalar {
        let start = position
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else {
            throw failure("half of a surrogate pair stands alone", at: start)
        }
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw failure("half of a surrogate pair stands alone", at: start) }
        return scalar
    }

    /// Reads the four digits of the `\u` at `position`.
    private mutating func hexadecimal() throws(FormatError) -> UInt32 {
        var value: UInt32 = 0
        for index in position + 2..<position + 6 {
            guard index < bytes.count, bytes[index] < 0x80,
                let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue
            else { throw failure("\\u needs four hexadecimal digits", at: position) }
            value = value << 4 | UInt32(digit)
        }
        position += 6
        return value
    }

    /// The bytes as a string; refuses what is not UTF-8.
    private func text(_ slice: ArraySlice<UInt8>, at start: Int) throws(FormatError) -> String {
        if let text = String(validating: slice, as: UTF8.self) { return text }
        throw failure("the string that begins here is not valid UTF-8", at: start - 1)
    }
}

// MARK: - Numbers

extension JSONParser {
    private mutating func number() throws(FormatError) -> JSON {
        let start = position
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative { position += 1 }
        if isNegative, position < bytes.count, bytes[position] == UInt8(ascii: "I") {
            return try word("Infinity", .number(-.infinity))
        }
        let firstDigit = position
        let magnitude = try digits()
        if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
            throw failure("a number must not begin with 0", at: start)
        }
        let isWhole = try skipFractionAndExponent()
        if isWhole, let magnitude { return .integer(isNegative ? -magnitude : magnitude) }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)),
            value.isFinite
        else { throw failure("the number that begins here is too large", at: start) }
        return .number(value)
    }

    /// Moves past `.5e-3`; true when there is nothing of the kind.
    private mutating func skipFractionAndExponent() throws(FormatError) -> Bool {
        var isWhole = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            _ = try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            position += 1
            if position < bytes.count,
                [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[position])
            {
                position += 1
            }
            _ = try digits()
        }
        return isWhole
    }

    /// Takes one digit or more; nil when their value does not fit `Int`.
    private mutating func digits() throws(FormatError) -> Int? {
        let start = position
        var value = 0
        var overflows = false
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            let (product, overProduct) = value.multipliedReportingOverflow(by: 10)
            let (sum, overSum) = product.addingReportingOverflow(Int(digit))
            value = sum
            overflows = overflows || overProduct || overSum
            position += 1
        }
        if position == start { throw unexpected("a digit") }
        return overflows ? nil : value
    }
}

// MARK: - Messages

extension JSONParser {
    private func unexpected(_ expected: String) -> FormatError {
        guard position < bytes.count else {
            return failure("expected \(expected), found the end of the text", at: position)
        }
        let byte = bytes[position]
        let isPrintable = (0x21..<0x7F).contains(byte)
        let found = isPrintable ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
        return failure("expected \(expected), found \(found)", at: position)
    }

    private func failure(_ what: String, at offset: Int) -> FormatError {
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.count { $0 == 0x0A } + firstLine
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        // Continuation bytes do not count, so that a column is the one that an editor shows.
        let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
        return FormatError("\(name): line \(line), column \(column): \(what)")
    }
}
