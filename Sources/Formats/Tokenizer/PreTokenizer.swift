/// Cuts normalised text into words, none of whose merges cross a word's end.
struct PreTokenizer: Sendable {
    /// What becomes of the places where a `Split` matches.
    enum Behavior: String, Sendable {
        case removed = "Removed"
        case isolated = "Isolated"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    enum Step: Sendable {
        /// Cuts with a pattern whose matches cover the text.
        case words(WordScanner)
        case split(RegexProgram, Behavior, inverted: Bool)
        /// Puts a space before a piece that does not begin with one.
        case prefixSpace
    }

    var steps: [Step] = []

    /// Words: bytes and where each word ends; between two ends there may be bytes of no word.
    struct Pieces {
        var bytes: [UInt8]
        var starts: [Int]
        var ends: [Int]
    }

    /// The words of `bytes`, which are valid UTF-8.
    func pieces(of bytes: [UInt8]) -> Pieces {
        var pieces = Pieces(
            bytes: bytes, starts: bytes.isEmpty ? [] : [0], ends: bytes.isEmpty ? [] : [bytes.count]
        )
        for step in steps {
            switch step {
            case .words(let scanner): Self.cut(&pieces, with: scanner)
            case .split(let program, let behavior, let inverted):
                Self.cut(&pieces, with: program, behavior, inverted: inverted)
            case .prefixSpace: Self.prefixSpaces(&pieces)
            }
        }
        return pieces
    }

    private static func cut(_ pieces: inout Pieces, with scanner: WordScanner) {
        var (starts, ends): ([Int], [Int]) = ([], [])
        ends.reserveCapacity(pieces.bytes.count / 4)
        starts.reserveCapacity(pieces.bytes.count / 4)
        for (start, end) in zip(pieces.starts, pieces.ends) {
            let first = ends.count
            scanner.appendEnds(of: pieces.bytes.span, lower: start, upper: end, to: &ends)
            starts.append(start)
            for index in first..<(ends.count - 1) { starts.append(ends[index]) }
        }
        (pieces.starts, pieces.ends) = (starts, ends)
    }

    private static func prefixSpaces(_ pieces: inout Pieces) {
        var prefixed = Pieces(bytes: [], starts: [], ends: [])
        prefixed.bytes.reserveCapacity(pieces.bytes.count + pieces.starts.count)
        for (start, end) in zip(pieces.starts, pieces.ends) {
            prefixed.starts.append(prefixed.bytes.count)
            if pieces.bytes[start] != 0x20 { prefixed.bytes.append(0x20) }
            prefixed.bytes += pieces.bytes[start..<end]
            prefixed.ends.append(prefixed.bytes.count)
        }
        pieces = prefixed
    }

    // MARK: Any pattern

    /// A part of a piece, and whether the pattern matched it.
    struct Part {
        var start: Int
        var end: Int
        var isMatch: Bool
    }

    private static func cut(
        _ pieces: inout Pieces, with program: RegexProgram, _ behavior: Behavior, inverted: Bool
    ) {
        var (starts, ends): ([Int], [Int]) = ([], [])
        for (start, end) in zip(pieces.starts, pieces.ends) {
            var parts = Self.parts(
                of: pieces.bytes.span, lower: start, upper: end, program: program)
            if inverted {
                for index in parts.indices { parts[index].isMatch.toggle() }
            }
            for part in merged(parts, behavior) where part.end > part.start {
                starts.append(part.start)
                ends.append(part.end)
            }
        }
        (pieces.starts, pieces.ends) = (starts, ends)
    }

    /// The matches of a pattern from left to right, and what lies between them.
    static func parts(
        of bytes: Span<UInt8>, lower: Int, upper: Int, program: RegexProgram
    ) -> [Part] {
        var parts: [Part] = []
        var (offset, done) = (lower, lower)
        while offset <= upper {
            let end = RegexMatch.end(of: program, in: bytes, at: offset, lower: lower, upper: upper)
            // An empty match right after a match is none.
            if let end, end > offset || parts.last.map({ $0.isMatch && $0.end == end }) != true {
                if done < offset { parts.append(Part(start: done, end: offset, isMatch: false)) }
                parts.append(Part(start: offset, end: end, isMatch: true))
                done = end
                if end > offset {
                    offset = end
                    continue
                }
            }
            offset += offset < upper ? decodeScalar(bytes, at: offset).length : 1
        }
        if done < upper { parts.append(Part(start: done, end: upper, isMatch: false)) }
        return parts
    }

    private static func merged(_ parts: [Part], _ behavior: Behavior) -> [Part] {
        switch behavior {
        case .isolated: return parts
        case .removed: return parts.filter { !$0.isMatch }
        case .contiguous: return joined(parts) { last, next in last == next }
        case .mergedWithPrevious: return joined(parts) { last, next in next && !last }
        case .mergedWithNext: return joined(parts) { last, next in last && !next }
        }
    }

    /// Joins neighbours when `joins` says so of their being matches.
    private static func joined(
        _ parts: [Part], _ joins: (_ last: Bool, _ next: Bool) -> Bool
    ) -> [Part] {
        var result: [Part] = []
        var lastIsMatch: Bool?
        for part in parts {
            if let lastIsMatch, let last = result.indices.last, joins(lastIsMatch, part.isMatch) {
                result[last].end = part.end
            } else {
                result.append(part)
            }
            lastIsMatch = part.isMatch
        }
        return result
    }
}
