/// Reads the two large members of a `tokenizer.json`, the vocabulary and the merges, straight from
/// the file's bytes: as a tree of values they would take most of the time that loading takes.
struct VocabularyScanner {
    private let bytes: [UInt8]
    private let name: String
    private var offset: Int

    init(_ bytes: [UInt8], name: String, at offset: Int = 0) {
        self.bytes = bytes
        self.name = name
        self.offset = offset
    }

    /// Where the values of `model.vocab` (an object) and `model.merges` (an array) lie.
    ///
    /// Nil stands for a member that is missing, of another kind, or in a file that is not JSON;
    /// whoever reads the rest of the file says what is wrong with it.
    static func members(of bytes: [UInt8]) -> (vocabulary: Range<Int>?, merges: Range<Int>?) {
        var scanner = VocabularyScanner(bytes, name: "")
        var found: (vocabulary: Range<Int>?, merges: Range<Int>?) = (nil, nil)
        scanner.forEachMember { key, scanner in
            guard key == Array("model".utf8) else { return scanner.skipValue() != nil }
            return scanner.forEachMember { key, scanner in
                let first = scanner.peek()
                guard let range = scanner.skipValue() else { return false }
                if key == Array("vocab".utf8), first == UInt8(ascii: "{") {
                    found.vocabulary = range
                } else if key == Array("merges".utf8), first == UInt8(ascii: "[") {
                    found.merges = range
                }
                return true
            }
        }
        return found
    }

    // MARK: Contents

    /// Reads `{"token": id, ...}`.
    mutating func vocabulary() throws(FormatError) -> TokenTable {
        var tokens = TokenTable(capacity: 1 << 17)
        var spelling: [UInt8] = []
        try expect("{")
        if take("}") { return tokens }
        repeat {
            spelling.removeAll(keepingCapacity: true)
            try string(into: &spelling)
            try expect(":")
            let id = try identifier(of: spelling)
            guard tokens.insert(id, spelling.span, 0, spelling.count) else {
                throw error("gives the token or the id of \(quoted(spelling[...])) (\(id)) twice")
            }
        } while take(",")
        try expect("}")
        return tokens
    }

    /// Reads `["a b", ...]` or `[["a", "b"], ...]`; the place of a merge is its rank.
    mutating func merges(of tokens: TokenTable) throws(FormatError) -> PairTable {
        var pairs = PairTable(capacity: tokens.count)
        var pair: [UInt8] = []
        var rank = 0
        try expect("[")
        if take("]") { return pairs }
        repeat {
            pair.removeAll(keepingCapacity: true)
            let middle = try mergePair(into: &pair)
            guard let left = tokens.id(pair.span, 0, middle),
                let right = tokens.id(pair.span, middle, pair.count),
                let merged = tokens.id(pair.span, 0, pair.count)
            else {
                throw error(
                    "merges \(quoted(pair[..<middle])) and \(quoted(pair[middle...])), which are"
                        + " not both tokens, or whose union is none")
            }
            pairs.insert(left, right, rank: rank, merged: merged)
            rank += 1
        } while take(",")
        try expect("]")
        return pairs
    }

    /// Leaves the two sides side by side in `pair` and returns where the second begins.
    private mutating func mergePair(into pair: inout [UInt8]) throws(FormatError) -> Int {
        if take("[") {
            try string(into: &pair)
            let middle = pair.count
            try expect(",")
            try string(into: &pair)
            try expect("]")
            return middle
        }
        try string(into: &pair)
        guard let space = pair.firstIndex(of: UInt8(ascii: " ")), space > 0,
            pair.lastIndex(of: UInt8(ascii: " ")) == space, space < pair.count - 1
        else { throw error("has the merge \(quoted(pair[...])), which is not two tokens") }
        pair.remove(at: space)
        return space
    }

    private mutating func identifier(of spelling: [UInt8]) throws(FormatError) -> Int {
        skipSpace()
        var value = 0
        var digits = 0
        while offset < bytes.count, (0x30...0x39).contains(bytes[offset]), digits < 10 {
            value = value * 10 + Int(bytes[offset] - 0x30)
            offset += 1
            digits += 1
        }
        // A vocabulary of more than 16 million tokens is a damaged file.
        guard digits > 0, value < 1 << 24 else {
            throw error("gives the token \(quoted(spelling[...])) no usable id")
        }
        return value
    }

    private func error(_ what: String) -> FormatError { FormatError("\(name): \(what)") }

    private func quoted(_ spelling: ArraySlice<UInt8>) -> String {
        "\"\(String(decoding: spelling, as: UTF8.self))\""
    }

    // MARK: JSON

    /// Appends the contents of the string that stands here.
    private mutating func string(into text: inout [UInt8]) throws(FormatError) {
        try expect("\"")
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try escape(into: &text)
            default: text.append(byte)
            }
        }
        throw error("ends within a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(FormatError) {
        guard offset < bytes.count else { throw error("ends within a string") }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "u"): text.append(scalar: try escapedScalar())
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        default: throw error("has an invalid escape at byte \(offset)")
        }
    }

    private mutating func escapedScalar() throws(FormatError) -> UInt32 {
        let high = try codeUnit()
        guard (0xD800..<0xE000).contains(high) else { return high }
        guard high < 0xDC00, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
            bytes[offset + 1] == UInt8(ascii: "u")
        else { throw error("has half a surrogate pair at byte \(offset)") }
        offset += 2
        let low = try codeUnit()
        guard (0xDC00..<0xE000).contains(low) else {
            throw error("has half a surrogate pair at byte \(offset)")
        }
        return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
    }

    private mutating func codeUnit() throws(FormatError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let character = offset < bytes.count ? Character(Unicode.Scalar(bytes[offset])) : " "
            guard let digit = character.hexDigitValue else {
                throw error("has an invalid escape at byte \(offset)")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    private mutating func peek() -> UInt8? {
        skipSpace()
        return offset < bytes.count ? bytes[offset] : nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(FormatError) {
        guard take(character) else {
            throw error("has no '\(character)' at byte \(offset), where one belongs")
        }
    }

    // MARK: Skipping

    /// Calls `body` with each key of the object that stands here, before its value, which `body`
    /// skips; stops when it returns false. Returns whether the object was read to its end.
    @discardableResult
    private mutating func forEachMember(
        _ body: (_ key: [UInt8], _ scanner: inout VocabularyScanner) -> Bool
    ) -> Bool {
        guard take("{") else { return false }
        if take("}") { return true }
        repeat {
            skipSpace()
            guard let key = skipString(), take(":") else { return false }
            guard body(Array(bytes[(key.lowerBound + 1)..<(key.upperBound - 1)]), &self) else {
                return false
            }
        } while take(",")
        return take("}")
    }

    /// Skips a string and returns where it lies, quotes included.
    private mutating func skipString() -> Range<Int>? {
        let start = offset
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { return nil }
        offset += 1
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if byte == UInt8(ascii: "\"") { return start..<offset }
            if byte == UInt8(ascii: "\\") { offset += 1 }
        }
        return nil
    }

    /// Skips a value by its brackets and returns where it lies.
    private mutating func skipValue() -> Range<Int>? {
        skipSpace()
        let start = offset
        var depth = 0
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                guard skipString() != nil else { return nil }
                if depth == 0 { return start..<offset }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return start..<offset }
                depth -= 1
                if depth == 0 {
                    offset += 1
                    return start..<offset
                }
            case UInt8(ascii: ",") where depth == 0: return start..<offset
            default: break
            }
            offset += 1
        }
        return nil
    }
}
