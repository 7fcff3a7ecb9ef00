import Testing

@testable import Formats

@Suite struct PreTokenizerTests {
    @Test(arguments: [
        WordScanner.gpt2Pattern, WordScanner.cl100kPattern(digits: #"\p{N}{1,3}"#),
        WordScanner.cl100kPattern(digits: #"\p{N}"#), WordScanner.qwen35Pattern,
    ])
    func `the scanner of a known pattern cuts as the pattern itself`(pattern: String) throws {
        let scanner = PreTokenizer(steps: [.words(try #require(WordScanner(pattern: pattern)))])
        let program = PreTokenizer(steps: [
            .split(try RegexProgram(pattern), .isolated, inverted: false)
        ])
        var random = RandomText(seed: 4)
        for _ in 0..<1500 {
            let text = Array(random.text().utf8)
            let (fast, slow) = (scanner.pieces(of: text), program.pieces(of: text))
            #expect(fast.ends == slow.ends)
            #expect(fast.starts == slow.starts)
        }
    }

    @Test func `a pattern that differs in one character is not taken for a known one`() {
        #expect(WordScanner(pattern: WordScanner.gpt2Pattern + "+") == nil)
        #expect(WordScanner(pattern: "") == nil)
    }

    @Test(arguments: [
        (PreTokenizer.Behavior.removed, ["the", "final", "countdown"]),
        (.isolated, ["the", "-", "final", "-", "-", "countdown"]),
        (.mergedWithPrevious, ["the-", "final-", "-", "countdown"]),
        (.mergedWithNext, ["the", "-final", "-", "-countdown"]),
        (.contiguous, ["the", "-", "final", "--", "countdown"]),
    ])
    func `matches are kept, joined or removed`(
        behavior: PreTokenizer.Behavior, words: [String]
    ) throws {
        let cutter = PreTokenizer(steps: [
            .split(try RegexProgram("-"), behavior, inverted: false)
        ])
        let pieces = cutter.pieces(of: Array("the-final--countdown".utf8))
        let found = zip(pieces.starts, pieces.ends).map {
            String(decoding: pieces.bytes[$0..<$1], as: UTF8.self)
        }
        #expect(found == words)
    }
}
