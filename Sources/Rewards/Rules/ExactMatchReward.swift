extension RewardRule {
    /// 1 when response and right answer are equal but for white space around them; else 0.
    package static let exactMatch = RewardRule("exact_match") {
        trimmed($0).elementsEqual(trimmed($1)) ? 1 : 0
    }
}

/// A text without the white space before and after it, compared code point by code point.
private func trimmed(_ text: String) -> some Sequence<Unicode.Scalar> {
    let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
    let start = text.unicodeScalars.drop(while: isSpace)
    guard let last = start.lastIndex(where: { !isSpace($0) }) else { return start.prefix(0) }
    return start[...last]
}
