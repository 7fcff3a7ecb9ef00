/// A regular expression compiled to steps that `RegexMatch` walks.
struct RegexProgram: Sendable {
    enum Step: Sendable {
        /// Takes one scalar of the set.
        case take(set: Int)
        /// Takes `least` to `most` scalars of the set.
        case run(set: Int, least: Int, most: Int, RegexSyntax.Greed)
        /// Goes on at the first place, and at the second if that fails.
        case split(Int, Int)
        case jump(Int)
        /// The steps up to `end` must (or must not) match here; they take nothing.
        case lookahead(end: Int, negative: Bool)
        /// The scalar before this place must (or must not) be of the set.
        case lookbehind(set: Int, negative: Bool)
        /// The steps up to `end` match once, in their first way only.
        case atomic(end: Int)
        case anchor(RegexSyntax.Anchor)
        /// The whole expression, or the body of a lookahead or an atomic group, has matched.
        case accept
    }

    private(set) var steps: [Step] = []
    private(set) var sets: [ScalarSet] = []
    /// A pattern whose repetitions unfold to more than this is refused.
    private static let mostSteps = 50_000

    /// Compiles a pattern in Oniguruma's dialect, or says what of it is not supported.
    init(_ pattern: String) throws(FormatError) {
        try append(RegexParser.parse(pattern))
        steps.append(.accept)
        if steps.count > Self.mostSteps {
            throw FormatError("the regular expression \"\(pattern)\" is too large")
        }
    }

    private mutating func index(of set: ScalarSet) -> Int {
        sets.append(set)
        return sets.count - 1
    }

    private mutating func append(_ syntax: RegexSyntax) throws(FormatError) {
        guard steps.count <= Self.mostSteps else { return }
        switch syntax {
        case .empty: break
        case .set(let set): steps.append(.take(set: index(of: set)))
        case .sequence(let items):
            for item in items { try append(item) }
        case .alternatives(let choices): try append(choices: choices)
        case .repetition(let item, let least, let most, let greed):
            if case .set(let set) = item {
                let run = Step.run(
                    set: index(of: set), least: least, most: most ?? .max, greed)
                steps.append(run)
            } else {
                try append(repetitionOf: item, least: least, most: most, greed)
            }
        case .lookahead(let body, let negative):
            try append(body: body) { .lookahead(end: $0, negative: negative) }
        case .lookbehind(let set, let negative):
            steps.append(.lookbehind(set: index(of: set), negative: negative))
        case .atomic(let body): try append(body: body) { .atomic(end: $0) }
        case .anchor(let anchor): steps.append(.anchor(anchor))
        }
    }

    private mutating func append(choices: [RegexSyntax]) throws(FormatError) {
        var jumps: [Int] = []
        for choice in choices.dropLast() {
            let split = steps.count
            steps.append(.accept)
            try append(choice)
            jumps.append(steps.count)
            steps.append(.accept)
            steps[split] = .split(split + 1, steps.count)
        }
        if let last = choices.last { try append(last) }
        for jump in jumps { steps[jump] = .jump(steps.count) }
    }

    private mutating func append(
        body: RegexSyntax, _ step: (Int) -> Step
    ) throws(FormatError) {
        let start = steps.count
        steps.append(.accept)
        try append(body)
        steps.append(.accept)
        steps[start] = step(steps.count)
    }

    private mutating func append(
        repetitionOf item: RegexSyntax, least: Int, most: Int?, _ greed: RegexSyntax.Greed
    ) throws(FormatError) {
        if greed == .possessive {
            let loop = RegexSyntax.repetition(item, least: least, most: most, .greedy)
            return try append(body: loop) { .atomic(end: $0) }
        }
        for _ in 0..<least { try append(item) }
        var splits: [Int] = []
        if let most {
            for _ in least..<most {
                splits.append(steps.count)
                steps.append(.accept)
                try append(item)
            }
        } else {
            splits.append(steps.count)
            steps.append(.accept)
            try append(item)
            steps.append(.jump(splits[0]))
        }
        for split in splits {
            let (enter, leave) = (split + 1, steps.count)
            steps[split] = greed == .lazy ? .split(leave, enter) : .split(enter, leave)
        }
    }
}
