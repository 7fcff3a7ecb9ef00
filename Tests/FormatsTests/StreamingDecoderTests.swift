import Testing

@testable import Formats

@Suite struct StreamingDecoderTests {
    @Test func `the pieces put together are the decoded text`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        for row in try FixtureFiles.lines("tokenizer-tiny.jsonl") {
            let ids = (row["ids"]?.array ?? []).compactMap(\.int).map { Int32($0) }
            for skips in [false, true] {
                var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skips)
                var text = ""
                for id in ids {
                    let piece = try decoder.append(id)
                    #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
                    text += piece
                }
                #expect(decoder.flush() == "")
                let key = skips ? "decoded_skip_special" : "decoded"
                #expect(Array(text.utf8) == row[key]?.string.map { Array($0.utf8) })
            }
        }
    }

    @Test func `ids in any order give what decoding them at once gives`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        var generator = SplitMix64(state: 3)
        for _ in 0..<300 {
            let count = Int.random(in: 0...40, using: &generator)
            // Mostly single bytes, so that characters are cut and broken in every way.
            let ids = (0..<count).map { _ in Int32.random(in: 90..<300, using: &generator) }
            var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
            var text = ""
            for id in ids { text += try decoder.append(id) }
            text += decoder.flush()
            let whole = try tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(Array(text.utf8) == Array(whole.utf8))
        }
    }

    @Test func `a character is held back until its last byte`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        let ids = tokenizer.encode("😀")
        #expect(ids.count == 4)
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
        var pieces: [String] = []
        for id in ids { pieces.append(try decoder.append(id)) }
        #expect(pieces == ["", "", "", "😀"])
        _ = try decoder.append(ids[0])
        #expect(decoder.flush() == "\u{FFFD}")
        #expect(decoder.flush() == "")
    }

    @Test func `an id without a token is an error`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
        #expect(throws: FormatError.self) { try decoder.append(1 << 20) }
    }
}
