extension RewardRule {
    /// 1 when the content of the last `\boxed{}` equals the right answer after normalisation; else 0.
    package static let boxedMath = RewardRule(
        "math_boxed",
        dataSources: [
            "lighteval/MATH", "DigitalLearningGmbH/MATH-lighteval", "HuggingFaceH4/MATH-500",
        ]
    ) { response, groundTruth in
        guard let answer = BoxedAnswer.last(in: Array(response.unicodeScalars)) else { return 0 }
        return MathAnswer.areEqual(answer, Array(groundTruth.unicodeScalars)) ? 1 : 0
    }
}

/// The final answer that a response puts into a box, found as verl's `math_reward` finds it.
enum BoxedAnswer {
    private static let boxed = Array("\\boxed".unicodeScalars)
    private static let framed = Array("\\fbox".unicodeScalars)

    /// The content of the last box; nil without a box or without its closing brace.
    ///
    /// `\boxed 5$` counts too: if any box is written with a space, the last such one is taken, up to
    /// the next dollar sign. An `\fbox` is looked for when there is no `\boxed`, but is worth nothing,
    /// as in verl.
    static func last(in text: [Unicode.Scalar]) -> [Unicode.Scalar]? {
        let spaced = boxed + [" "]
        if let start = lastStart(of: spaced, in: text) {
            return Array(text[(start + spaced.count)...].prefix { $0 != "$" })
        }
        guard let start = lastStart(of: boxed, in: text),
            let end = closingBrace(in: text, from: start)
        else { return nil }
        let content = start + boxed.count
        guard text[content] == "{" else { return nil }
        return Array(text[(content + 1)..<end])
    }

    private static func lastStart(of pattern: [Unicode.Scalar], in text: [Unicode.Scalar]) -> Int? {
        text.indices.last { text[$0...].starts(with: pattern) }
    }

    /// The brace that closes the first brace after a place.
    private static func closingBrace(in text: [Unicode.Scalar], from start: Int) -> Int? {
        var open = 0
        for position in start..<text.count {
            if text[position] == "{" { open += 1 }
            if text[position] == "}" {
                open -= 1
                if open == 0 { return position }
            }
        }
        return nil
    }
}
