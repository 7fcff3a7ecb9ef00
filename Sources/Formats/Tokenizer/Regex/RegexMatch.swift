/// One attempt to match a program at one place of a text, by backtracking.
///
/// A match that needs many steps begins to remember which splits it has been at, so the work is
/// bounded by steps of the program times bytes of the text, whatever the pattern.
struct RegexMatch {
    /// A place to go on from when the present way fails.
    private enum Retreat {
        case split(step: Int, offset: Int)
        /// A greedy run that may give back down to `least`, a lazy one that may take up to `most`.
        case shrink(step: Int, offset: Int, least: Int)
        case grow(step: Int, offset: Int, set: Int, left: Int)
    }

    private struct Visit: Hashable {
        let step: Int
        let offset: Int
    }

    private let program: RegexProgram
    private let lower: Int
    private let upper: Int
    private var work = 0
    private var visited: Set<Visit> = []
    private static let workBeforeRemembering = 20_000

    /// The end of the match of `program` that begins at `offset` in `bytes[lower..<upper]`, or nil.
    static func end(
        of program: RegexProgram, in bytes: Span<UInt8>, at offset: Int, lower: Int, upper: Int
    ) -> Int? {
        var match = RegexMatch(program: program, lower: lower, upper: upper)
        return match.run(bytes, step: 0, offset: offset)
    }

    private init(program: RegexProgram, lower: Int, upper: Int) {
        self.program = program
        self.lower = lower
        self.upper = upper
    }

    private mutating func run(_ bytes: Span<UInt8>, step: Int, offset: Int) -> Int? {
        var retreats: [Retreat] = []
        var (step, offset) = (step, offset)
        while true {
            if case .accept = program.steps[step] { return offset }
            if let next = advance(bytes, step: step, offset: offset, &retreats) {
                (step, offset) = next
            } else if let next = retreat(bytes, &retreats) {
                (step, offset) = next
            } else {
                return nil
            }
        }
    }

    /// Does one step; nil when it fails.
    private mutating func advance(
        _ bytes: Span<UInt8>, step: Int, offset: Int, _ retreats: inout [Retreat]
    ) -> (Int, Int)? {
        work += 1
        switch program.steps[step] {
        case .accept: return nil
        case .take(let set):
            guard offset < upper else { return nil }
            let scalar = decodeScalar(bytes, at: offset)
            return program.sets[set].contains(scalar.value)
                ? (step + 1, offset + scalar.length) : nil
        case .run(let set, let least, let most, let greed):
            guard
                let end = run(
                    bytes, set: set, from: offset, (least, most), greed, step, &retreats)
            else { return nil }
            return (step + 1, end)
        case .split(let first, let second):
            guard isFirstVisit(step, offset) else { return nil }
            retreats.append(.split(step: second, offset: offset))
            return (first, offset)
        case .jump(let target): return (target, offset)
        case .lookahead(let end, let negative):
            let found = runBody(bytes, step: step + 1, offset: offset) != nil
            return found != negative ? (end, offset) : nil
        case .lookbehind(let set, let negative):
            var found = false
            if offset > lower {
                let scalar = decodeScalar(bytes, at: startOfScalar(bytes, endingAt: offset))
                found = program.sets[set].contains(scalar.value)
            }
            return found != negative ? (step + 1, offset) : nil
        case .atomic(let end):
            guard let stop = runBody(bytes, step: step + 1, offset: offset) else { return nil }
            return (end, stop)
        case .anchor(let anchor): return holds(anchor, bytes, offset) ? (step + 1, offset) : nil
        }
    }

    /// Takes scalars of one set and leaves a retreat for those it could give back or still take.
    private mutating func run(
        _ bytes: Span<UInt8>, set: Int, from offset: Int, _ bounds: (least: Int, most: Int),
        _ greed: RegexSyntax.Greed, _ step: Int, _ retreats: inout [Retreat]
    ) -> Int? {
        let members = program.sets[set]
        let wanted = greed == .lazy ? bounds.least : bounds.most
        var (end, count, least) = (offset, 0, offset)
        while count < wanted, end < upper {
            let scalar = decodeScalar(bytes, at: end)
            guard members.contains(scalar.value) else { break }
            end += scalar.length
            count += 1
            if count == bounds.least { least = end }
        }
        work += count
        guard count >= bounds.least else { return nil }
        if greed == .greedy, end > least {
            retreats.append(.shrink(step: step + 1, offset: end, least: least))
        } else if greed == .lazy, bounds.most > count {
            let left = bounds.most - count
            retreats.append(.grow(step: step + 1, offset: end, set: set, left: left))
        }
        return end
    }

    private mutating func retreat(
        _ bytes: Span<UInt8>, _ retreats: inout [Retreat]
    ) -> (Int, Int)? {
        while let last = retreats.popLast() {
            switch last {
            case .split(let step, let offset): return (step, offset)
            case .shrink(let step, let offset, let least):
                let shorter = startOfScalar(bytes, endingAt: offset)
                if shorter > least {
                    retreats.append(.shrink(step: step, offset: shorter, least: least))
                }
                guard isFirstVisit(-step, shorter) else { continue }
                return (step, shorter)
            case .grow(let step, let offset, let set, let left):
                guard offset < upper else { continue }
                let scalar = decodeScalar(bytes, at: offset)
                guard program.sets[set].contains(scalar.value) else { continue }
                let longer = offset + scalar.length
                if left > 1 {
                    retreats.append(.grow(step: step, offset: longer, set: set, left: left - 1))
                }
                return (step, longer)
            }
        }
        return nil
    }

    /// Runs the body of a lookahead or an atomic group. What failed within one run of it says
    /// nothing about the next, so each has a memory of its own.
    private mutating func runBody(_ bytes: Span<UInt8>, step: Int, offset: Int) -> Int? {
        let outer = visited
        visited = []
        defer { visited = outer }
        return run(bytes, step: step, offset: offset)
    }

    /// False when the match has been at this step and place and is known to fail from there; the
    /// step is negated for the place a run gave back to, which its own step visits as well.
    private mutating func isFirstVisit(_ step: Int, _ offset: Int) -> Bool {
        work += 1
        guard work > Self.workBeforeRemembering else { return true }
        return visited.insert(Visit(step: step, offset: offset)).inserted
    }

    private func holds(
        _ anchor: RegexSyntax.Anchor, _ bytes: Span<UInt8>, _ offset: Int
    ) -> Bool {
        switch anchor {
        case .textStart: return offset == lower
        case .textEnd: return offset == upper
        case .textEndBeforeNewline:
            return offset == upper || (offset == upper - 1 && bytes[offset] == 0x0A)
        case .lineStart: return offset == lower || bytes[offset - 1] == 0x0A
        case .lineEnd: return offset == upper || bytes[offset] == 0x0A
        case .wordBoundary, .noWordBoundary:
            let words = UnicodeCategories.wordCharacters
            let before =
                offset > lower
                && words.contains(
                    scalar: decodeScalar(bytes, at: startOfScalar(bytes, endingAt: offset)).value)
            let after =
                offset < upper && words.contains(scalar: decodeScalar(bytes, at: offset).value)
            return (before != after) == (anchor == .wordBoundary)
        }
    }
}
