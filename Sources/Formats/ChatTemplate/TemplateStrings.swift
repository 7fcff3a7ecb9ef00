/// What Python's text methods do, by scalars and never by grapheme clusters.
enum TemplateStrings {
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        UnicodeTable.isWhitespace(scalar.value) || (0x1C...0x1F).contains(scalar.value)
    }

    /// Takes these scalars, or white space, from the ends.
    static func stripped(
        _ text: String, of characters: String?, left: Bool = true, right: Bool = true
    ) -> String {
        let set = characters.map { Set($0.unicodeScalars) }
        func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? isSpace(scalar) }
        var rest = text.unicodeScalars[...]
        if left { rest = rest.drop { goes($0) } }
        while right, let last = rest.last, goes(last) { rest.removeLast() }
        return String(String.UnicodeScalarView(rest))
    }

    static func firstIndex(of part: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
        guard let first = part.first else { return start }
        guard part.count <= text.count else { return nil }
        var place = start
        while place + part.count <= text.count {
            if text[place] == first, text[place..<(place + part.count)].elementsEqual(part) {
                return place
            }
            place += 1
        }
        return nil
    }

    /// The parts between separators, at most `most` cuts from the left; without a separator the
    /// words between white space.
    static func split(_ text: String, by separator: String?, most: Int) -> [String] {
        guard let separator else { return words(text, most: most) }
        let (bytes, mark) = (Array(text.utf8), Array(separator.utf8))
        var parts: [String] = []
        var start = 0
        while most < 0 || parts.count < most,
            let place = firstIndex(of: mark, in: bytes, from: start)
        {
            parts.append(String(decoding: bytes[start..<place], as: UTF8.self))
            start = place + mark.count
        }
        return parts + [String(decoding: bytes[start...], as: UTF8.self)]
    }

    /// The same with the cuts counted from the right.
    static func splitFromRight(_ text: String, by separator: String, most: Int) -> [String] {
        let parts = split(text, by: separator, most: -1)
        guard most >= 0, parts.count > most + 1 else { return parts }
        let joined = parts.dropLast(most).joined(separator: separator)
        return [joined] + parts.suffix(most)
    }

    private static func words(_ text: String, most: Int) -> [String] {
        var words: [String] = []
        var rest = text.unicodeScalars[...]
        while true {
            rest = rest.drop { isSpace($0) }
            if rest.isEmpty { return words }
            if most >= 0, words.count == most {
                return words + [
                    stripped(String(String.UnicodeScalarView(rest)), of: nil, left: false)
                ]
            }
            let word = rest.prefix { !isSpace($0) }
            words.append(String(String.UnicodeScalarView(word)))
            rest = rest[word.endIndex...]
        }
    }

    static func lines(_ text: String, keepEnds: Bool) -> [String] {
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        var lastIsReturn = false
        func isBreak(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
            default: false
            }
        }
        for scalar in text.unicodeScalars {
            if scalar == "\n", lastIsReturn {
                lastIsReturn = false
                if keepEnds, let last = lines.indices.last {
                    lines[last].unicodeScalars.append(scalar)
                }
                continue
            }
            lastIsReturn = scalar == "\r"
            if isBreak(scalar) {
                if keepEnds { line.append(scalar) }
                lines.append(String(line))
                line = String.UnicodeScalarView()
            } else {
                line.append(scalar)
            }
        }
        return line.isEmpty ? lines : lines + [String(line)]
    }

    static func replaced(_ text: String, _ old: String, _ new: String, most: Int) -> String {
        if old.utf8.isEmpty {
            // Between all scalars, as Python has it.
            var result = ""
            var count = 0
            for scalar in text.unicodeScalars {
                if most < 0 || count < most { result += new }
                count += 1
                result.unicodeScalars.append(scalar)
            }
            return most < 0 || count < most ? result + new : result
        }
        return split(text, by: old, most: most).joined(separator: new)
    }

    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        let rest = String(String.UnicodeScalarView(text.unicodeScalars.dropFirst()))
        return first.properties.titlecaseMapping + rest.lowercased()
    }

    /// Every word with a capital as the method `title` makes it: what has no case ends a word.
    static func titled(_ text: String) -> String {
        var result = ""
        var beginsWord = true
        for properties in text.unicodeScalars.map(\.properties) {
            result += beginsWord ? properties.titlecaseMapping : properties.lowercaseMapping
            beginsWord = !properties.isCased
        }
        return result
    }

    /// Every word with a capital as the filter `title` makes it: white space, hyphens and opening
    /// brackets end a word.
    static func titledByFilter(_ text: String) -> String {
        var result = ""
        var beginsWord = true
        for scalar in text.unicodeScalars {
            let properties = scalar.properties
            result += beginsWord ? properties.uppercaseMapping : properties.lowercaseMapping
            beginsWord = isSpace(scalar) || "-([{<".unicodeScalars.contains(scalar)
        }
        return result
    }

    /// Whether there is text and all of it satisfies `body`.
    static func all(_ text: String, _ body: (Unicode.Scalar) -> Bool) -> Bool {
        !text.isEmpty && text.unicodeScalars.allSatisfy(body)
    }

    /// Whether there are letters with case and all of them have this one.
    static func hasOnlyCase(_ text: String, upper: Bool) -> Bool {
        let scalars = text.unicodeScalars.map(\.properties)
        return scalars.contains { $0.isCased }
            && scalars.allSatisfy { !$0.isCased || (upper ? $0.isUppercase : $0.isLowercase) }
    }
}
