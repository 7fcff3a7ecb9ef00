/// A regular expression as its parser understood it.
indirect enum RegexSyntax: Sendable {
    /// How a repetition behaves when what follows it does not match.
    enum Greed {
        /// Takes all it can and gives back.
        case greedy
        /// Takes as little as it must and takes more.
        case lazy
        /// Takes all it can and keeps it.
        case possessive
    }

    /// A condition on a place of the text that takes nothing of it.
    enum Anchor {
        case lineStart, lineEnd, textStart, textEnd, textEndBeforeNewline
        case wordBoundary, noWordBoundary
    }

    case empty
    case set(ScalarSet)
    case sequence([RegexSyntax])
    case alternatives([RegexSyntax])
    case repetition(RegexSyntax, least: Int, most: Int?, Greed)
    case lookahead(RegexSyntax, negative: Bool)
    case lookbehind(ScalarSet, negative: Bool)
    case atomic(RegexSyntax)
    case anchor(Anchor)
}
