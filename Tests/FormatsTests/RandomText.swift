/// Text of every kind a tokenizer may meet, from a seed.
struct RandomText {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(state: seed) }

    private static let alphabets: [[Unicode.Scalar]] = [
        "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789",
        "     \t\n\r\u{A0}\u{3000}\u{200B}\u{2028}\u{B}\u{C}\u{85}",
        "'sStTrReEvVlLdDmM'\u{2019}\u{17F}",
        "!\"#$%&()*+,-./:;<=>?@[]^_`{|}~", "éàüñçÅåßÆ½①Ⅷ²", "数学题小明有个苹果",
        "العربيةעבריתहिन्दीไทย", "\u{300}\u{301}\u{323}\u{308}\u{20DD}\u{345}\u{1161}\u{11A8}\u{1100}",
        "각힣가", "😀👩\u{200D}👧🏳\u{FE0F}🌈🇨🇭", "𝒜𝓁∑∫√π≈",
    ].map { Array($0.unicodeScalars) }

    /// A text of up to `pieces` runs, each of one alphabet or of scalars from anywhere.
    mutating func text(pieces: Int = 20) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...pieces, using: &generator) {
            let alphabet = Self.alphabets.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                if Int.random(in: 0..<20, using: &generator) == 0 {
                    text.append(scalar())
                } else if let scalar = alphabet.randomElement(using: &generator) {
                    text.append(scalar)
                }
            }
        }
        return String(text)
    }

    /// A scalar of any plane, assigned or not.
    mutating func scalar() -> Unicode.Scalar {
        let last: UInt32 = Bool.random(using: &generator) ? 0x3000 : 0x10FFFF
        return Unicode.Scalar(UInt32.random(in: 0...last, using: &generator)) ?? "?"
    }
}
