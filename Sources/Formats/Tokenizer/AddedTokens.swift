/// Tokens that are found in text as a whole, before anything else is done to it.
struct AddedToken: Sendable {
    /// The id.
    var id: Int32
    /// The text that stands for the token.
    var content: String
    /// Whether `decode` can leave the token out.
    var isSpecial = false
    /// Whether the token swallows white space before it.
    var stripsLeft = false
    /// Whether the token swallows white space after it.
    var stripsRight = false
    /// Whether the token counts only where no letter or digit touches it.
    var isSingleWord = false
    /// Whether the token is looked for in normalised text.
    var isNormalized = false
}

/// Finds added tokens in text: from left to right, the longest of those that begin at a place.
struct AddedTokenMatcher: Sendable {
    /// A stretch of text, and the token it is if it is one.
    struct Part {
        var range: Range<Int>
        var token: Int32?
    }

    private var tokens: [AddedToken] = []
    private var lengths: [Int] = []
    /// A trie: `node << 8 | byte` to the next node; the root is node 0.
    private var children: [UInt64: Int32] = [:]
    /// The token that ends at a node, or -1.
    private var ends: [Int32] = [-1]
    private var beginsToken = [Bool](repeating: false, count: 256)

    /// Adds a token that is spelled `content` in the text this matcher sees.
    mutating func insert(_ token: AddedToken, spelledAs content: [UInt8]) {
        guard let first = content.first else { return }
        beginsToken[Int(first)] = true
        var node: Int32 = 0
        for byte in content {
            let key = UInt64(node) << 8 | UInt64(byte)
            if let child = children[key] {
                node = child
            } else {
                node = Int32(ends.count)
                ends.append(-1)
                children[key] = node
            }
        }
        ends[Int(node)] = Int32(tokens.count)
        tokens.append(token)
        lengths.append(content.count)
    }

    /// The parts of the text in order; together they are the whole.
    ///
    /// White space that one token swallows may hold another token, which then comes after it.
    func parts(of bytes: [UInt8]) -> [Part] {
        var parts: [Part] = []
        let span = bytes.span
        var (offset, done) = (0, 0)
        while offset < bytes.count {
            guard beginsToken[Int(span[offset])], let index = longest(span, at: offset) else {
                offset += 1
                continue
            }
            let token = tokens[index]
            var (start, end) = (offset, offset + lengths[index])
            offset = end
            if token.isSingleWord, touchesWord(span, start, end) { continue }
            if token.stripsLeft {
                while start > done {
                    let last = startOfScalar(span, endingAt: start)
                    guard UnicodeTable.isWhitespace(decodeScalar(span, at: last).value) else {
                        break
                    }
                    start = last
                }
            }
            while token.stripsRight, end < bytes.count {
                let (value, length) = decodeScalar(span, at: end)
                guard UnicodeTable.isWhitespace(value) else { break }
                end += length
            }
            if done < start { parts.append(Part(range: done..<start, token: nil)) }
            parts.append(Part(range: start..<end, token: token.id))
            done = end
        }
        if done < bytes.count { parts.append(Part(range: done..<bytes.count, token: nil)) }
        return parts
    }

    private func longest(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        var node: Int32 = 0
        var found: Int?
        var offset = start
        while offset < bytes.count,
            let child = children[UInt64(node) << 8 | UInt64(bytes[offset])]
        {
            node = child
            offset += 1
            if ends[Int(node)] >= 0 { found = Int(ends[Int(node)]) }
        }
        return found
    }

    private func touchesWord(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        func isWord(_ value: UInt32) -> Bool {
            // The reference asks another engine here, whose `\w` is this.
            let words: UnicodeCategories = [.letters, .marks, .decimalDigits, .connectors]
            return words.contains(scalar: value) || value == 0x200C || value == 0x200D
                || Unicode.Scalar(value)?.properties.isAlphabetic == true
        }
        if start > 0,
            isWord(decodeScalar(bytes, at: startOfScalar(bytes, endingAt: start)).value)
        {
            return true
        }
        return end < bytes.count && isWord(decodeScalar(bytes, at: end).value)
    }
}
