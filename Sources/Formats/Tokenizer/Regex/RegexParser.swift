/// Reads a pattern in the dialect of Oniguruma, as far as tokenizers use it.
///
/// What it does not know it refuses by name; it never guesses.
struct RegexParser {
    private let pattern: [UInt32]
    private var offset = 0
    private var ignoresCase = false
    private var depth = 0
    /// What the syntax tree may unfold to: `{1000}{1000}` must not fill the memory.
    static let largestRepetition = 1000

    static func parse(_ pattern: String) throws(FormatError) -> RegexSyntax {
        var parser = RegexParser(pattern: pattern.unicodeScalars.map(\.value))
        let syntax = try parser.alternatives()
        if parser.offset < parser.pattern.count {
            throw parser.error("has a ')' without its '('")
        }
        return syntax
    }

    private init(pattern: [UInt32]) {
        self.pattern = pattern
    }

    private func error(_ what: String) -> FormatError {
        let text = String(String.UnicodeScalarView(pattern.compactMap { Unicode.Scalar($0) }))
        return FormatError("the regular expression \"\(text)\" \(what) (at character \(offset))")
    }

    private var next: UInt32? { offset < pattern.count ? pattern[offset] : nil }

    private mutating func take(_ text: String) -> Bool {
        let wanted = text.unicodeScalars.map(\.value)
        guard pattern[offset...].starts(with: wanted) else { return false }
        offset += wanted.count
        return true
    }

    // MARK: Structure

    private mutating func alternatives() throws(FormatError) -> RegexSyntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw error("nests more than 100 groups") }
        let outerCase = ignoresCase
        var choices: [RegexSyntax] = [try sequence()]
        while take("|") { choices.append(try sequence()) }
        ignoresCase = outerCase
        return choices.count == 1 ? choices[0] : .alternatives(choices)
    }

    private mutating func sequence() throws(FormatError) -> RegexSyntax {
        var items: [RegexSyntax] = []
        while let character = next, character != ascii("|"), character != ascii(")") {
            let item = try atom()
            items.append(try repetitions(of: item))
        }
        return items.count == 1 ? items[0] : items.isEmpty ? .empty : .sequence(items)
    }

    private mutating func repetitions(of item: RegexSyntax) throws(FormatError) -> RegexSyntax {
        var item = item
        while let bounds = try repetitionBounds() {
            switch item {
            case .lookahead, .lookbehind, .anchor: throw error("repeats something without width")
            default: break
            }
            var greed = RegexSyntax.Greed.greedy
            if take("?") {
                greed = .lazy
            } else if !bounds.isInterval, take("+") {
                // After {n,m} Oniguruma reads '+' as one more repetition, which the loop does.
                greed = .possessive
            }
            item = .repetition(item, least: bounds.least, most: bounds.most, greed)
        }
        return item
    }

    private mutating func repetitionBounds() throws(FormatError) -> (
        least: Int, most: Int?, isInterval: Bool
    )? {
        if take("*") { return (0, nil, false) }
        if take("+") { return (1, nil, false) }
        if take("?") { return (0, 1, false) }
        guard next == ascii("{") else { return nil }
        let start = offset
        offset += 1
        let first = number()
        var least = first ?? 0
        var most = first
        if take(",") {
            most = number()
            if first == nil { least = 0 }
        }
        guard take("}"), first != nil || most != nil else {
            // Not a repetition: the brace stands for itself.
            offset = start
            return nil
        }
        guard least <= Self.largestRepetition, (most ?? least) <= Self.largestRepetition else {
            throw error("repeats something more than \(Self.largestRepetition) times")
        }
        if let most, most < least { throw error("has a repetition whose bounds are reversed") }
        return (least, most, true)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let character = next, (0x30...0x39).contains(character) {
            value = min((value ?? 0) * 10 + Int(character - 0x30), 1_000_000)
            offset += 1
        }
        return value
    }

    // MARK: Atoms

    private mutating func atom() throws(FormatError) -> RegexSyntax {
        let character = pattern[offset]
        switch character {
        case ascii("("): return try group()
        case ascii("["): return .set(try characterClass())
        case ascii("\\"): return try escape()
        case ascii("."):
            offset += 1
            return .set(ScalarSet(0x0A...0x0A).inverted.finished())
        case ascii("^"):
            offset += 1
            return .anchor(.lineStart)
        case ascii("$"):
            offset += 1
            return .anchor(.lineEnd)
        case ascii("*"), ascii("+"), ascii("?"): throw error("repeats nothing")
        default:
            offset += 1
            return literal(character)
        }
    }

    private func literal(_ character: UInt32) -> RegexSyntax {
        let set = ScalarSet(character...character)
        return .set((ignoresCase ? set.ignoringCase() : set).finished())
    }

    private mutating func group() throws(FormatError) -> RegexSyntax {
        offset += 1
        if !take("?") { return try groupBody() }
        if take(":") { return try groupBody() }
        if take("=") { return .lookahead(try groupBody(), negative: false) }
        if take("!") { return .lookahead(try groupBody(), negative: true) }
        if take(">") { return .atomic(try groupBody()) }
        if take("<=") { return try lookbehind(negative: false) }
        if take("<!") { return try lookbehind(negative: true) }
        return try groupWithOptions()
    }

    private mutating func groupBody() throws(FormatError) -> RegexSyntax {
        let body = try alternatives()
        guard take(")") else { throw error("has a '(' without its ')'") }
        return body
    }

    private mutating func lookbehind(negative: Bool) throws(FormatError) -> RegexSyntax {
        guard case .set(let set) = try groupBody() else {
            throw error("looks behind for more than one character, which is not supported")
        }
        return .lookbehind(set, negative: negative)
    }

    /// `(?i:...)`, `(?-i:...)` and `(?i)`, which holds to the end of the group around it.
    private mutating func groupWithOptions() throws(FormatError) -> RegexSyntax {
        var turnsOn = true
        let outerCase = ignoresCase
        while let character = next, character != ascii(":"), character != ascii(")") {
            switch character {
            case ascii("-"): turnsOn = false
            case ascii("i"): ignoresCase = turnsOn
            default: throw error("has a group of a kind that is not supported")
            }
            offset += 1
        }
        if take(":") {
            let body = try groupBody()
            ignoresCase = outerCase
            return body
        }
        guard take(")") else { throw error("has a '(' without its ')'") }
        let rest = try alternatives()
        return rest
    }

    private mutating func escape() throws(FormatError) -> RegexSyntax {
        guard offset + 1 < pattern.count else { throw error("ends with a '\\'") }
        let anchors: [(Unicode.Scalar, RegexSyntax.Anchor)] = [
            ("A", .textStart), ("z", .textEnd), ("Z", .textEndBeforeNewline),
            ("b", .wordBoundary), ("B", .noWordBoundary),
        ]
        for (name, anchor) in anchors where pattern[offset + 1] == name.value {
            offset += 2
            return .anchor(anchor)
        }
        return .set(try escapedSet(inClass: false).set.finished())
    }
}

extension RegexParser {
    // MARK: Sets

    /// Reads `\x`; `value` is the character where it stands for exactly one.
    private mutating func escapedSet(
        inClass: Bool
    ) throws(FormatError) -> (set: ScalarSet, value: UInt32?) {
        guard offset + 1 < pattern.count else { throw error("ends with a '\\'") }
        let character = pattern[offset + 1]
        offset += 2
        guard let scalar = Unicode.Scalar(character) else { throw error("has an invalid escape") }
        switch scalar {
        case "s": return (.whitespace, nil)
        case "S": return (ScalarSet.whitespace.inverted, nil)
        case "d": return (ScalarSet(.decimalDigits), nil)
        case "D": return (ScalarSet(.decimalDigits).inverted, nil)
        case "w": return (ScalarSet(.wordCharacters), nil)
        case "W": return (ScalarSet(.wordCharacters).inverted, nil)
        case "p", "P": return (try property(inverted: scalar == "P"), nil)
        case "n": return single(0x0A)
        case "r": return single(0x0D)
        case "t": return single(0x09)
        case "f": return single(0x0C)
        case "v": return single(0x0B)
        case "a": return single(0x07)
        case "e": return single(0x1B)
        case "b" where inClass: return single(0x08)
        case "x": return single(try hexadecimal(mostDigits: 2))
        case "u": return single(try hexadecimal(mostDigits: 4))
        case "0"..."9", "a"..."z", "A"..."Z":
            throw error("uses '\\\(scalar)', which is not supported")
        default: return single(character)
        }
    }

    private func single(_ value: UInt32) -> (set: ScalarSet, value: UInt32?) {
        let set = ScalarSet(value...value)
        return (ignoresCase ? set.ignoringCase() : set, value)
    }

    private mutating func hexadecimal(mostDigits: Int) throws(FormatError) -> UInt32 {
        let inBraces = take("{")
        var value: UInt32 = 0
        var digits = 0
        while let character = next, digits < (inBraces ? 6 : mostDigits),
            let digit = Unicode.Scalar(character).flatMap({ Character($0).hexDigitValue }),
            character < 0x80
        {
            value = value << 4 | UInt32(digit)
            digits += 1
            offset += 1
        }
        guard digits > 0, !inBraces || take("}"), value <= 0x10FFFF else {
            throw error("has a hexadecimal escape without its digits")
        }
        return value
    }

    /// The rest of `\p{name}`, `\p{^name}` or `\pL`.
    private mutating func property(inverted: Bool) throws(FormatError) -> ScalarSet {
        var name = ""
        var inverted = inverted
        if take("{") {
            if take("^") { inverted.toggle() }
            while let character = next, character != ascii("}") {
                if let scalar = Unicode.Scalar(character) { name.unicodeScalars.append(scalar) }
                offset += 1
            }
            guard take("}") else { throw error("has a '\\p{' without its '}'") }
        } else if let character = next, let scalar = Unicode.Scalar(character) {
            name.unicodeScalars.append(scalar)
            offset += 1
        }
        let set: ScalarSet
        if ["space", "white_space", "whitespace"].contains(name.lowercased()) {
            set = .whitespace
        } else if let categories = UnicodeCategories(named: name) {
            set = ScalarSet(categories)
        } else {
            throw error("uses the property \\p{\(name)}, which is not supported")
        }
        return inverted ? set.inverted : set
    }

    private mutating func characterClass() throws(FormatError) -> ScalarSet {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw error("nests more than 100 groups") }
        offset += 1
        let isInverted = take("^")
        var set = ScalarSet()
        var isFirst = true
        while let character = next, character != ascii("]") || isFirst {
            isFirst = false
            if take("&&") { throw error("intersects classes with '&&', which is not supported") }
            if character == ascii("[") {
                if pattern[offset...].starts(with: [ascii("["), ascii(":")]) {
                    throw error("uses a class such as [:alpha:], which is not supported")
                }
                set.insert(try characterClass())
                continue
            }
            try insertItem(into: &set)
        }
        guard take("]") else { throw error("has a '[' without its ']'") }
        if isInverted { set.invert() }
        return set.finished()
    }

    /// One character, one escape or one range of a class.
    private mutating func insertItem(into set: inout ScalarSet) throws(FormatError) {
        guard let low = try classItem(into: &set) else { return }
        let isRange =
            next == ascii("-") && offset + 1 < pattern.count && pattern[offset + 1] != ascii("]")
        guard isRange else {
            set.insert(single(low).set)
            return
        }
        offset += 1
        var rest = ScalarSet()
        guard let high = try classItem(into: &rest) else {
            throw error("has a class with a range that ends in a class")
        }
        guard low <= high else { throw error("has a class with a reversed range") }
        let range = ScalarSet(low...high)
        set.insert(ignoresCase ? range.ignoringCase() : range)
    }

    /// The character that stands here; an escape for many characters goes into the set instead.
    private mutating func classItem(into set: inout ScalarSet) throws(FormatError) -> UInt32? {
        guard let character = next else { throw error("has a '[' without its ']'") }
        if character != ascii("\\") {
            offset += 1
            return character
        }
        let item = try escapedSet(inClass: true)
        if let value = item.value { return value }
        set.insert(item.set)
        return nil
    }
}

/// The value of an ASCII character.
private func ascii(_ scalar: Unicode.Scalar) -> UInt32 { scalar.value }
