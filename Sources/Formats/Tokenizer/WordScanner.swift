/// Splits text into words as the patterns of well-known tokenizers do, without a regex engine.
///
/// A pattern is recognised by its text; `RegexProgram` runs every other one. The results are the
/// same, this is only several times faster.
struct WordScanner: Sendable {
    private enum Family {
        /// GPT-2: one leading space belongs to the word, contractions are in lower case.
        case gpt2
        /// cl100k and its descendants Llama 3 and Qwen 2.
        case cl100k
    }

    private enum Kind {
        static let other: UInt8 = 0
        static let letter: UInt8 = 1
        static let number: UInt8 = 2
        static let space: UInt8 = 3
        static let newline: UInt8 = 4
    }

    private let family: Family
    /// How many digits make a word at most.
    private let mostDigits: Int
    /// The kind of each scalar of the basic plane.
    private let kinds: [UInt8]
    private let marksAreLetters: Bool

    /// The scanner for a pattern, or nil for one that is not known by heart.
    init?(pattern: String) {
        switch pattern {
        case Self.gpt2Pattern: self.init(.gpt2, mostDigits: .max)
        case Self.cl100kPattern(digits: #"\p{N}{1,3}"#): self.init(.cl100k, mostDigits: 3)
        case Self.cl100kPattern(digits: #"\p{N}"#): self.init(.cl100k, mostDigits: 1)
        case Self.qwen35Pattern: self.init(.cl100k, mostDigits: 1, marksAreLetters: true)
        default: return nil
        }
    }

    private init(_ family: Family, mostDigits: Int, marksAreLetters: Bool = false) {
        self.family = family
        self.mostDigits = mostDigits
        self.marksAreLetters = marksAreLetters
        kinds = marksAreLetters ? Self.kindsWithMarks : Self.plainKinds
    }

    static let gpt2Pattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    static func cl100kPattern(digits: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    static let qwen35Pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"#
        + #"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    private static let plainKinds = (0..<UInt32(0x10000)).map { kind(of: $0, marks: false) }
    private static let kindsWithMarks = (0..<UInt32(0x10000)).map { kind(of: $0, marks: true) }

    private static func kind(of scalar: UInt32, marks: Bool) -> UInt8 {
        if scalar == 0x0A || scalar == 0x0D { return Kind.newline }
        if UnicodeTable.isWhitespace(scalar) { return Kind.space }
        if UnicodeCategories.letters.contains(scalar: scalar) { return Kind.letter }
        if UnicodeCategories.numbers.contains(scalar: scalar) { return Kind.number }
        if marks, UnicodeCategories.marks.contains(scalar: scalar) { return Kind.letter }
        return Kind.other
    }

    /// Appends where each word of `bytes[lower..<upper]` ends.
    func appendEnds(of bytes: Span<UInt8>, lower: Int, upper: Int, to ends: inout [Int]) {
        var offset = lower
        while offset < upper {
            offset =
                family == .gpt2
                ? gpt2End(bytes, offset, upper) : cl100kEnd(bytes, offset, upper)
            ends.append(offset)
        }
    }

    // MARK: One word

    private func cl100kEnd(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'"),
            let end = contractionEnd(bytes, start, upper, anyCase: true)
        {
            return end
        }
        let (kind, length) = kind(bytes, start)
        let second = start + length
        switch kind {
        case Kind.letter: return runEnd(bytes, second, upper, Kind.letter)
        case Kind.number: return numberEnd(bytes, start, upper)
        case Kind.newline: return spaceEnd(bytes, start, upper)
        default: break
        }
        // One character that is neither letter, number nor line break may lead a word.
        if second < upper, self.kind(bytes, second).0 == Kind.letter {
            return runEnd(bytes, second, upper, Kind.letter)
        }
        if kind == Kind.other { return symbolEnd(bytes, second, upper) }
        if bytes[start] == UInt8(ascii: " "), second < upper,
            self.kind(bytes, second).0 == Kind.other
        {
            return symbolEnd(bytes, second, upper)
        }
        return spaceEnd(bytes, start, upper)
    }

    private func gpt2End(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'"),
            let end = contractionEnd(bytes, start, upper, anyCase: false)
        {
            return end
        }
        var (kind, length) = kind(bytes, start)
        var second = start + length
        if bytes[start] == UInt8(ascii: " "), second < upper {
            let next = self.kind(bytes, second)
            if next.0 != Kind.space, next.0 != Kind.newline {
                (kind, length) = next
                second += length
            }
        }
        if kind == Kind.space || kind == Kind.newline {
            return trailingSpaceEnd(bytes, start, upper)
        }
        return runEnd(bytes, second, upper, kind)
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d` at an apostrophe. Without regard to case, «ſ» is an «s» too.
    private func contractionEnd(
        _ bytes: Span<UInt8>, _ start: Int, _ upper: Int, anyCase: Bool
    ) -> Int? {
        func letter(_ offset: Int) -> UInt8 {
            guard offset < upper else { return 0 }
            let byte = bytes[offset]
            return anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
        }
        let second = letter(start + 2)
        switch letter(start + 1) {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
            return start + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"):
            return second == UInt8(ascii: "e") ? start + 3 : nil
        case UInt8(ascii: "l"): return second == UInt8(ascii: "l") ? start + 3 : nil
        case 0xC5: return anyCase && second == 0xBF ? start + 3 : nil
        default: return nil
        }
    }

    private func numberEnd(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        var (offset, count) = (start, 0)
        while offset < upper, count < mostDigits {
            let (kind, length) = kind(bytes, offset)
            guard kind == Kind.number else { break }
            offset += length
            count += 1
        }
        return offset
    }

    private func symbolEnd(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        var offset = runEnd(bytes, start, upper, Kind.other)
        while offset < upper, bytes[offset] == 0x0A || bytes[offset] == 0x0D { offset += 1 }
        return offset
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last line break of the white space, or to its last
    /// character but one, which leads the next word.
    private func spaceEnd(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        var (offset, afterBreak) = (start, start)
        while offset < upper {
            let (kind, length) = kind(bytes, offset)
            guard kind == Kind.space || kind == Kind.newline else { break }
            offset += length
            if kind == Kind.newline { afterBreak = offset }
        }
        return afterBreak > start ? afterBreak : shortened(bytes, start, offset, upper)
    }

    private func trailingSpaceEnd(_ bytes: Span<UInt8>, _ start: Int, _ upper: Int) -> Int {
        var offset = start
        while offset < upper {
            let (kind, length) = kind(bytes, offset)
            guard kind == Kind.space || kind == Kind.newline else { break }
            offset += length
        }
        return shortened(bytes, start, offset, upper)
    }

    private func shortened(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ upper: Int
    ) -> Int {
        guard end < upper else { return end }
        let last = startOfScalar(bytes, endingAt: end)
        return last > start ? last : end
    }

    private func runEnd(
        _ bytes: Span<UInt8>, _ start: Int, _ upper: Int, _ wanted: UInt8
    ) -> Int {
        var offset = start
        while offset < upper {
            let (kind, length) = kind(bytes, offset)
            guard kind == wanted else { break }
            offset += length
        }
        return offset
    }

    @inline(__always)
    private func kind(_ bytes: Span<UInt8>, _ offset: Int) -> (UInt8, Int) {
        let first = bytes[offset]
        if first < 0x80 { return (kinds[Int(first)], 1) }
        let (value, length) = decodeScalar(bytes, at: offset)
        if value < 0x10000 { return (kinds[Int(value)], length) }
        return (Self.kind(of: value, marks: marksAreLetters), length)
    }
}
