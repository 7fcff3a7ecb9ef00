/// Equality of LaTeX answers after the usual normalisation (Hendrycks et al., MATH,
/// https://arxiv.org/abs/2103.03874), step by step as in verl's `math_reward`.
enum MathAnswer {
    private typealias Text = [Unicode.Scalar]

    /// Whether two answers are equal after normalisation, or as they stand where that fails.
    static func areEqual(_ first: [Unicode.Scalar], _ second: [Unicode.Scalar]) -> Bool {
        guard let left = normalized(first), let right = normalized(second) else {
            return first == second
        }
        return left == right
    }

    /// What is taken out or replaced before anything else, in this order.
    private static let replacements: [(String, String)] = [
        ("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"),
        ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""),
    ]

    /// The normal form; nil where verl's code fails on an answer.
    private static func normalized(_ answer: Text) -> Text? {
        var text = replacing(replacements, in: answer)
        guard let withoutUnits = removingUnits(text) else { return nil }
        text = replacing(
            [("\\\\%", ""), ("\\%", ""), (" .", " 0."), ("{.", "{0.")], in: withoutUnits)
        if text.isEmpty { return text }
        if text[0] == "." { text.insert("0", at: 0) }
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        if sides.count == 2, sides[0].count <= 2 { text = Array(sides[1]) }
        guard let withRoots = bracingRoots(text) else { return nil }
        guard let withFractions = bracingFractions(withRoots.filter { $0 != " " }) else {
            return nil
        }
        if withFractions == scalars("0.5") { return scalars("\\frac{1}{2}") }
        return bracingQuotient(withFractions)
    }

    /// A text without a unit at its end, which is written `\text{ cm}`; nil with more than one.
    private static func removingUnits(_ text: Text) -> Text? {
        let parts = parts(of: text, separatedBy: "\\text{ ")
        return parts.count > 2 ? nil : parts[0]
    }

    /// `\sqrt3` as `\sqrt{3}`; nil with nothing after a root.
    private static func bracingRoots(_ text: Text) -> Text? {
        let parts = parts(of: text, separatedBy: "\\sqrt")
        var result = parts[0]
        for part in parts.dropFirst() {
            guard let first = part.first else { return nil }
            result += scalars("\\sqrt")
            result += first == "{" ? part : ["{", first, "}"] + part.dropFirst()
        }
        return result
    }

    /// `\frac12` as `\frac{1}{2}` and `\frac1{72}` as `\frac{1}{72}`; nil with nothing after one.
    private static func bracingFractions(_ text: Text) -> Text? {
        let parts = parts(of: text, separatedBy: "\\frac")
        var result = parts[0]
        for part in parts.dropFirst() {
            guard let numerator = part.first else { return nil }
            result += scalars("\\frac")
            if numerator == "{" {
                result += part
                continue
            }
            guard part.count >= 2 else { return text }
            result += ["{", numerator, "}"]
            result += part[1] == "{" ? part[1...] : ["{", part[1], "}"] + part[2...]
        }
        return result
    }

    /// `3/4` of two plain whole numbers as `\frac{3}{4}`; anything else as it is.
    private static func bracingQuotient(_ text: Text) -> Text {
        let sides = text.split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, sides.allSatisfy(isPlainInteger) else { return text }
        return scalars("\\frac{") + sides[0] + scalars("}{") + sides[1] + ["}"]
    }

    /// Whether a text is a whole number as Python prints it: no leading zeros, no plus, no "-0".
    private static func isPlainInteger(_ text: ArraySlice<Unicode.Scalar>) -> Bool {
        let digits = text.first == "-" ? text.dropFirst() : text
        guard let first = digits.first, digits.allSatisfy({ ("0"..."9").contains($0) }) else {
            return false
        }
        return first != "0" || (digits.count == 1 && text.count == 1)
    }

    private static func scalars(_ text: String) -> Text { Array(text.unicodeScalars) }

    private static func replacing(_ pairs: [(String, String)], in text: Text) -> Text {
        pairs.reduce(text) { $0.replacing(scalars($1.0), with: scalars($1.1)) }
    }

    /// The parts between a separator, at least one.
    private static func parts(of text: Text, separatedBy separator: String) -> [Text] {
        let pattern = scalars(separator)
        var parts: [Text] = [[]]
        var position = 0
        while position < text.count {
            if text[position...].starts(with: pattern) {
                parts.append([])
                position += pattern.count
            } else {
                parts[parts.count - 1].append(text[position])
                position += 1
            }
        }
        return parts
    }
}
