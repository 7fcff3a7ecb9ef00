import Testing

@testable import Formats

/// The parts into which the matches of a pattern cut a text.
private func parts(_ pattern: String, _ text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    let program = try RegexProgram(pattern)
    return PreTokenizer.parts(of: bytes.span, lower: 0, upper: bytes.count, program: program)
        .map { String(decoding: bytes[$0.start..<$0.end], as: UTF8.self) }
        .filter { !$0.isEmpty }
}

@Suite struct RegexTests {
    /// What Oniguruma gives, the engine behind Hugging Face's tokenizers.
    @Test(arguments: [
        ("(?i:'s|'t)", "x'\u{17F}a 'S't", ["x", "'\u{17F}", "a ", "'S", "'t"]),
        ("(?i:k)", "\u{212A} K k", ["\u{212A}", " ", "K", " ", "k"]),
        ("(?i:[a-c]x)d", "AXd bXD", ["AXd", " bXD"]),
        ("a$", "xa\nba", ["x", "a", "\nb", "a"]),
        ("^b", "b\nb", ["b", "\n", "b"]),
        (#"\A."#, "b\nb", ["b", "\nb"]),
        (#".\z"#, "b\nc", ["b\n", "c"]),
        ("a{1,2}+", "aaaaab", ["aaaaa", "b"]),
        ("a{2,3}", "aaaaaab", ["aaa", "aaa", "b"]),
        ("a{,2}b", "aaab", ["a", "aab"]),
        ("(?:ab){2}", "ababab", ["abab", "ab"]),
        ("a{x", "ba{x", ["b", "a{x"]),
        (#"\s++$"#, "a  \n  b  ", ["a  \n  b", "  "]),
        ("a*+a", "aaa", ["aaa"]),
        ("(?>a*)b", "aab", ["aab"]),
        (".", "a\nb", ["a", "\n", "b"]),
        (#"\d"#, "a1٣½", ["a", "1", "٣", "½"]),
        (#"\w+"#, "a_b é·½Ⅷ-", ["a_b", " ", "é", "·", "½Ⅷ", "-"]),
        (#"\bis\b"#, "this is", ["this ", "is"]),
        (#"\x41|\u0042|\x{43}"#, "xAyBzCw", ["x", "A", "y", "B", "z", "C", "w"]),
        ("x*", "axxb", ["a", "xx", "b"]),
        (#"\s+(?!\S)"#, "a   b  ", ["a", "  ", " b", "  "]),
        ("(?=b)a|b(?=c)", "bbc", ["b", "b", "c"]),
        ("(?<=a)b|(?<!a)c", "abcac", ["a", "b", "c", "ac"]),
        ("a.*?c", "abcbc", ["abc", "bc"]),
        ("a??b", "ab", ["ab"]),
        (#"[^\s\p{L}\p{N}]+"#, "a!?1", ["a", "!?", "1"]),
        (#"[\p{Lu}\p{M}-]+"#, "aB-e\u{301}", ["a", "B-", "e", "\u{301}"]),
        (#"\P{L}+"#, "ab12c", ["ab", "12", "c"]),
        (#"[a\]b-]+"#, "xa]-by", ["x", "a]-b", "y"]),
        ("[]a]+", "x]ay", ["x", "]a", "y"]),
        ("[一-龥]+", "a数学b", ["a", "数学", "b"]),
        ("(a|ab)(c|bcd)", "abcd", ["abcd"]),
        ("", "ab", ["a", "b"]),
    ])
    func `patterns match as in the reference`(pattern: String, text: String, expected: [String])
        throws
    {
        #expect(try parts(pattern, text) == expected, "\(pattern)")
    }

    @Test(arguments: [
        ("(a", "')'"), ("a)", "'('"), ("[a", "']'"), ("*a", "repeats nothing"),
        (#"\p{Greek}"#, "Greek"), ("[a&&b]", "&&"), ("[[:alpha:]]", "[:alpha:]"), (#"\1"#, #"\1"#),
        (#"\"#, "ends"), ("(?<n>a)", "kind"), ("(?<=ab)c", "behind"), ("a{2000}", "1000"),
        ("[b-a]", "reversed"), ("a{3,1}", "reversed"), (#"[a-\d]"#, "range"), ("^*", "width"),
        (#"\x{110000}"#, "hexadecimal"), ("(?:(?:a{1000}b){1000}c){1000}", "large"),
        (String(repeating: "(", count: 5000), "nests"),
    ])
    func `what is wrong or not supported is said`(pattern: String, words: String) throws {
        let error = #expect(throws: FormatError.self) { _ = try RegexProgram(pattern) }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        "(a+)+b", "(a|aa)+b", "(a*)*b", "(?:(?:a?){8}){8}b", "(?=(a+)+b)a|(?>(a|a)*)b",
    ])
    func `a pattern that explodes elsewhere ends here`(pattern: String) throws {
        let text = String(repeating: "a", count: 40)
        #expect(try parts(pattern, text) == [text])
    }

    @Test func `random patterns are compiled or refused, never a crash`() throws {
        var generator = SplitMix64(state: 5)
        let pieces = [
            "a", "b", ".", "*", "+", "?", "(", ")", "(?:", "(?=", "(?!", "(?>", "|", "[", "]", "^",
            "-", "\\", "p{L}", "s", "{1,2}", "{", "}", "$", "(?i)", "\\b", "&&", "é",
        ]
        var compiled = 0
        for _ in 0..<3000 {
            let count = Int.random(in: 0...12, using: &generator)
            let pattern = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
                .joined()
            guard let found = try? parts(pattern, "ab éa-\nbaab") else { continue }
            #expect(found.joined() == "ab éa-\nbaab", "\(pattern)")
            compiled += 1
        }
        #expect(compiled > 300)
    }
}
