/// Cuts a template into tokens, with `trim_blocks` and `lstrip_blocks` on as transformers sets them.
struct TemplateLexer {
    private let source: [UInt8]
    private let name: String
    private var offset = 0
    private var line = 1
    private var tokens: [TemplateToken] = []
    /// Whether what was read last ended a line, so that a tag may be indented from here.
    private var isLineStart = true

    static func tokens(of source: String, name: String) throws(FormatError) -> [TemplateToken] {
        var lexer = TemplateLexer(source, name: name)
        try lexer.run()
        return lexer.tokens
    }

    private init(_ text: String, name: String) {
        var bytes: [UInt8] = []
        var lastIsReturn = false
        // Every kind of line break is a line feed, and one at the very end is not there.
        for byte in text.utf8 {
            if byte == 0x0A, lastIsReturn {
                lastIsReturn = false
                continue
            }
            lastIsReturn = byte == 0x0D
            bytes.append(lastIsReturn ? 0x0A : byte)
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        source = bytes
        self.name = name
    }

    private func error(_ what: String) -> FormatError {
        FormatError("\(name), line \(line): \(what)")
    }

    private func has(_ text: StaticString, at place: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard place + count <= source.count else { return false }
        return String(describing: text).utf8.elementsEqual(source[place..<(place + count)])
    }

    private mutating func emit(_ kind: TemplateToken.Kind) {
        tokens.append(TemplateToken(kind: kind, line: line))
    }

    private mutating func advance(to end: Int) {
        for place in offset..<end where source[place] == 0x0A { line += 1 }
        if end > offset { isLineStart = source[end - 1] == 0x0A }
        offset = end
    }

    private mutating func run() throws(FormatError) {
        while offset < source.count {
            let begin = nextTag(from: offset)
            let isExpression = begin < source.count && has("{{", at: begin)
            emitText(upTo: begin, beforeExpression: isExpression)
            if begin == source.count { break }
            if has("{#", at: begin) {
                try skipComment()
            } else if isExpression {
                try readTag(.expressionBegin, .expressionEnd, "}}")
            } else if try !skipRaw() {
                try readTag(.blockBegin, .blockEnd, "%}")
            }
        }
        emit(.end)
    }

    // MARK: Text

    private func nextTag(from start: Int) -> Int {
        var place = start
        while place + 1 < source.count {
            if source[place] == UInt8(ascii: "{"),
                [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(
                    source[place + 1])
            {
                return place
            }
            place += 1
        }
        return source.count
    }

    /// Emits the text before a tag, without the white space that the tag takes away.
    private mutating func emitText(upTo begin: Int, beforeExpression: Bool) {
        let end = textEnd(upTo: begin, beforeExpression: beforeExpression)
        if end > offset { emit(.text(String(decoding: source[offset..<end], as: UTF8.self))) }
        advance(to: begin)
    }

    private func textEnd(upTo begin: Int, beforeExpression: Bool) -> Int {
        guard begin + 2 < source.count else { return begin }
        var end = begin
        switch source[begin + 2] {
        case UInt8(ascii: "-"):
            while end > offset, Self.isSpace(source[end - 1]) { end -= 1 }
            return end
        case UInt8(ascii: "+"): return begin
        default: break
        }
        if beforeExpression { return begin }
        while end > offset, source[end - 1] != 0x0A, Self.isSpace(source[end - 1]) { end -= 1 }
        let reachesLineStart = end > offset ? source[end - 1] == 0x0A : isLineStart
        return reachesLineStart ? end : begin
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    /// Goes past the end of a tag and the white space it takes away.
    private mutating func leaveTag(_ close: Int, length: Int, trimsLine: Bool) {
        var end = close + length
        switch close > 0 ? source[close - 1] : 0 {
        case UInt8(ascii: "-"):
            while end < source.count, Self.isSpace(source[end]) { end += 1 }
        case UInt8(ascii: "+"): break
        default:
            if trimsLine, end < source.count, source[end] == 0x0A { end += 1 }
        }
        advance(to: end)
    }

    // MARK: Tags

    private mutating func skipComment() throws(FormatError) {
        var place = offset + 2
        while place < source.count, !has("#}", at: place) { place += 1 }
        guard place < source.count else { throw error("the comment that begins here does not end") }
        leaveTag(place, length: 2, trimsLine: true)
    }

    /// Reads `{% raw %}` to `{% endraw %}` as text; false when another tag begins here.
    private mutating func skipRaw() throws(FormatError) -> Bool {
        guard let body = rawTag("raw", at: offset) else { return false }
        leaveTag(body, length: 2, trimsLine: true)
        var place = offset
        while place < source.count {
            if has("{%", at: place), let close = rawTag("endraw", at: place) {
                emitText(upTo: place, beforeExpression: false)
                leaveTag(close, length: 2, trimsLine: true)
                return true
            }
            place += 1
        }
        throw error("the raw block that begins here has no endraw")
    }

    /// Where the `%}` of a tag lies that holds nothing but this word, or nil.
    private func rawTag(_ word: StaticString, at begin: Int) -> Int? {
        var place = begin + 2
        if place < source.count, [0x2B, 0x2D].contains(source[place]) { place += 1 }
        while place < source.count, Self.isSpace(source[place]) { place += 1 }
        guard has(word, at: place) else { return nil }
        place += word.utf8CodeUnitCount
        while place < source.count, Self.isSpace(source[place]) { place += 1 }
        if place < source.count, [0x2B, 0x2D].contains(source[place]) { place += 1 }
        return has("%}", at: place) ? place : nil
    }

    private mutating func readTag(
        _ begin: TemplateToken.Kind, _ end: TemplateToken.Kind, _ close: StaticString
    ) throws(FormatError) {
        emit(begin)
        advance(to: offset + 2)
        if offset < source.count, [0x2B, 0x2D].contains(source[offset]) { advance(to: offset + 1) }
        var brackets = 0
        while true {
            while offset < source.count, Self.isSpace(source[offset]) { advance(to: offset + 1) }
            guard offset < source.count else { throw error("a tag does not end") }
            if brackets == 0 {
                let isSigned = source[offset] == 0x2D || source[offset] == 0x2B
                let place = isSigned ? offset + 1 : offset
                if has(close, at: place) {
                    advance(to: place)
                    emit(end)
                    leaveTag(place, length: 2, trimsLine: end == .blockEnd)
                    return
                }
            }
            try readToken(&brackets)
        }
    }

    // MARK: Inside tags

    private mutating func readToken(_ brackets: inout Int) throws(FormatError) {
        let byte = source[offset]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): try readString(quote: byte)
        case 0x30...0x39: try readNumber()
        case UInt8(ascii: "_"), 0x41...0x5A, 0x61...0x7A, 0x80...:
            var end = offset
            while end < source.count, Self.isNamePart(source[end]) { end += 1 }
            emit(.name(String(decoding: source[offset..<end], as: UTF8.self)))
            advance(to: end)
        default: try readSymbol(&brackets)
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "_"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: true
        default: false
        }
    }

    private mutating func readSymbol(_ brackets: inout Int) throws(FormatError) {
        for symbol in ["//", "**", "==", "!=", "<=", ">="] as [StaticString]
        where has(symbol, at: offset) {
            emit(.symbol(String(describing: symbol)))
            advance(to: offset + 2)
            return
        }
        let symbol = String(Character(Unicode.Scalar(source[offset])))
        switch symbol {
        case "(", "[", "{": brackets += 1
        case ")", "]", "}": brackets = max(0, brackets - 1)
        case "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", ";": break
        default: throw error("unexpected character '\(symbol)'")
        }
        emit(.symbol(symbol))
        advance(to: offset + 1)
    }

    private mutating func readNumber() throws(FormatError) {
        var end = offset
        var isWhole = true
        func digits(_ place: Int) -> Bool {
            place < source.count && (0x30...0x39).contains(source[place])
        }
        while digits(end) || (end < source.count && source[end] == 0x5F && digits(end + 1)) {
            end += 1
        }
        if end < source.count, source[end] == UInt8(ascii: "."), digits(end + 1) {
            isWhole = false
            end += 1
            while digits(end) { end += 1 }
        }
        if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
            let signed = end + 1 < source.count && [0x2B, 0x2D].contains(source[end + 1])
            if digits(end + (signed ? 2 : 1)) {
                isWhole = false
                end += signed ? 2 : 1
                while digits(end) { end += 1 }
            }
        }
        let text = String(decoding: source[offset..<end].filter { $0 != 0x5F }, as: UTF8.self)
        if isWhole, let value = Int(text) {
            emit(.integer(value))
        } else if let value = Double(text), !isWhole {
            emit(.number(value))
        } else {
            throw error("the number \(text) is too large")
        }
        advance(to: end)
    }

    private mutating func readString(quote: UInt8) throws(FormatError) {
        var text: [UInt8] = []
        var place = offset + 1
        while place < source.count, source[place] != quote {
            if source[place] == UInt8(ascii: "\\"), place + 1 < source.count {
                place = try readEscape(at: place + 1, into: &text)
            } else {
                text.append(source[place])
                place += 1
            }
        }
        guard place < source.count else { throw error("the text that begins here has no end") }
        emit(.string(String(decoding: text, as: UTF8.self)))
        advance(to: place + 1)
    }

    /// Reads what follows a backslash as Python does and returns where it ends.
    private func readEscape(at place: Int, into text: inout [UInt8]) throws(FormatError) -> Int {
        let byte = source[place]
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "v"): text.append(0x0B)
        case UInt8(ascii: "a"): text.append(0x07)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(byte)
        case 0x0A: break
        case UInt8(ascii: "x"): return try readCode(digits: 2, at: place + 1, into: &text)
        case UInt8(ascii: "u"): return try readCode(digits: 4, at: place + 1, into: &text)
        case UInt8(ascii: "U"): return try readCode(digits: 8, at: place + 1, into: &text)
        case 0x30...0x37:
            var (value, end): (UInt32, Int) = (0, place)
            while end < min(place + 3, source.count), (0x30...0x37).contains(source[end]) {
                value = value * 8 + UInt32(source[end] - 0x30)
                end += 1
            }
            text.append(scalar: value)
            return end
        default: text += [UInt8(ascii: "\\"), byte]
        }
        return place + 1
    }

    private func readCode(
        digits: Int, at place: Int, into text: inout [UInt8]
    ) throws(FormatError) -> Int {
        let end = place + digits
        guard end <= source.count,
            let value = UInt32(String(decoding: source[place..<end], as: UTF8.self), radix: 16),
            Unicode.Scalar(value) != nil
        else { throw error("a text has an escape without its \(digits) digits") }
        text.append(scalar: value)
        return end
    }
}
