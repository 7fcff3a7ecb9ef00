import Foundation
import Testing

@testable import Formats

/// `tiny/tokenizer.json` with some of its members replaced.
func tinyTokenizer(_ change: (inout JSONObject) -> Void) throws -> Tokenizer {
    let bytes = try FixtureFiles.bytes("tiny/tokenizer.json")
    var file = try #require(JSON(parsing: bytes, name: "tiny").object)
    change(&file)
    let text = JSON.object(file).serialized()
    return try Tokenizer(Array(text.utf8), name: "tokenizer.json")
}

private func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch { return "\(error)" }
}

@Suite struct TokenizerTests {
    @Test(arguments: [("tiny", "tokenizer-tiny.jsonl"), ("qwen2-reduced", "tokenizer-qwen2.jsonl")])
    func `ids and texts equal those of transformers`(folder: String, cases: String) throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path(folder))
        for row in try FixtureFiles.lines(cases) {
            let text = try #require(row["text"]?.string)
            let ids = tokenizer.encode(text)
            #expect(ids.map { Int($0) } == row["ids"]?.array?.compactMap(\.int), "\(text)")
            let decoded = try tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(decoded == row["decoded"]?.string)
            let skipped = try tokenizer.decode(ids, skipSpecialTokens: true)
            #expect(
                Array(skipped.utf8) == row["decoded_skip_special"]?.string.map { Array($0.utf8) })
        }
    }

    /// Every step this program knows, in one variant or another.
    @Test func `other normalizers, pre-tokenizers and models equal the reference`() throws {
        for row in try FixtureFiles.lines("tokenizer-variants.jsonl") {
            let tokenizer = try Self.variant(row)
            for item in row["cases"]?.array ?? [] {
                let text = try #require(item["text"]?.string)
                let ids = tokenizer.encode(text, addSpecialTokens: true)
                let name = row["name"]?.string ?? ""
                #expect(ids.map { Int($0) } == item["ids"]?.array?.compactMap(\.int), "\(name)")
                let decoded = try tokenizer.decode(ids, skipSpecialTokens: true)
                #expect(decoded == item["decoded"]?.string, "\(name)")
            }
        }
    }

    private static func variant(_ row: JSON) throws -> Tokenizer {
        try tinyTokenizer { file in
            for (key, value) in row["overrides"]?.object ?? [:] { file[key] = value }
            file["added_tokens"] = .array(
                (file["added_tokens"]?.array ?? []) + (row["added"]?.array ?? []))
            var model = file["model"]?.object ?? [:]
            for (key, value) in row["model"]?.object ?? [:] { model[key] = value }
            let without = (row["without"]?.array ?? []).compactMap(\.string)
            var vocabulary = model["vocab"]?.object ?? [:]
            for token in without { vocabulary[token] = nil }
            let merges = (model["merges"]?.array ?? []).filter { merge in
                let (left, right) = (merge[0]?.string ?? "", merge[1]?.string ?? "")
                return [left, right, left + right].allSatisfy { vocabulary[$0] != nil }
            }
            model["vocab"] = .object(vocabulary)
            model["merges"] = .array(
                row["joinsMerges"] == nil
                    ? merges
                    : merges.map { .string("\($0[0]?.string ?? "") \($0[1]?.string ?? "")") })
            file["model"] = .object(model)
        }
    }

    @Test func `random text comes back, up to its normal form`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        var random = RandomText(seed: 1)
        for _ in 0..<500 {
            let text = random.text()
            let normal = Normalizer(steps: [.composed]).normalized(Array(text.utf8))
            let decoded = try tokenizer.decode(tokenizer.encode(text), skipSpecialTokens: false)
            #expect(Array(decoded.utf8) == normal)
        }
    }

    @Test func `a text is encoded the same a second time, from the cache`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        var random = RandomText(seed: 2)
        let texts = (0..<50).map { _ in random.text() }
        let first = texts.map { tokenizer.encode($0) }
        #expect(texts.map { tokenizer.encode($0) } == first)
    }

    @Test func `words of any length come back`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        for length in [47, 48, 49, 64, 65, 20_000] {
            let text = String(
                String(repeating: "theingsandtheother", count: length / 18 + 1).prefix(length))
            let ids = tokenizer.encode(text)
            #expect(try tokenizer.decode(ids, skipSpecialTokens: false) == text)
            #expect(ids.count < length)
        }
    }

    @Test func `tokens are known by their spelling`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        #expect(tokenizer.tokenID("<|im_end|>") == 2)
        #expect(tokenizer.tokenID("!") == 3)
        #expect(tokenizer.tokenID("no such token") == nil)
        #expect(tokenizer.bosToken == nil)
        #expect(tokenizer.eosToken == "<|im_end|>")
        #expect(tokenizer.eosTokenID == 2)
        #expect(tokenizer.padTokenID == 0)
        #expect(tokenizer.eosTokenIDs == [2])
        #expect(tokenizer.vocabularySize == 512)
        #expect(tokenizer.isSpecial(1))
        #expect(!tokenizer.isSpecial(3))
        #expect(tokenizer.chatTemplate != nil)
    }

    @Test func `an id that two vocabularies spell differently is found`() throws {
        let tiny = try Tokenizer(directory: FixtureFiles.path("tiny"))
        let reduced = try Tokenizer(directory: FixtureFiles.path("qwen2-reduced"))
        #expect(tiny.firstID(differingFrom: tiny) == nil)
        let id = try #require(tiny.firstID(differingFrom: reduced))
        func spelled(_ tokenizer: Tokenizer, _ id: Int) throws -> String {
            try tokenizer.decode([Int32(id)], skipSpecialTokens: false)
        }
        #expect(try spelled(tiny, id) != spelled(reduced, id))
        #expect(reduced.firstID(differingFrom: tiny) == id)
    }

    @Test func `ids beyond the model's vocabulary are named`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("qwen2-reduced"))
        try tokenizer.checkFits(vocabularySize: 151_936)
        try tokenizer.checkFits(vocabularySize: 151_646)
        #expect(
            message { try tokenizer.checkFits(vocabularySize: 151_643) }
                == "tokenizer.json: token '<|im_end|>' has id 151645, but the model's vocabulary has"
                + " 151643 entries")
    }

    @Test(arguments: [Int32(512), -1, .max])
    func `an id without a token is an error that names it`(id: Int32) throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        let text = message { _ = try tokenizer.decode([5, id], skipSpecialTokens: true) }
        #expect(text == "no token has the id \(id); the tokenizer's ids are below 512")
    }

    @Test func `bytes that are no text become U+FFFD`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        let lead = try #require(tokenizer.tokenID("æ"))
        let letter = try #require(tokenizer.tokenID("a"))
        let text = try tokenizer.decode([lead, letter], skipSpecialTokens: false)
        #expect(text == "\u{FFFD}a")
    }

    @Test(
        arguments: [
            (
                ["model": ["type": "Unigram", "vocab": [["a", 0.5]]]],
                "the model is of type Unigram"
            ),
            (
                ["model": ["type": "WordPiece", "vocab": ["a": 0]]],
                "the model is of type WordPiece"
            ),
            (["normalizer": ["type": "BertNormalizer"]], "the normalizer BertNormalizer"),
            (["pre_tokenizer": ["type": "Metaspace"]], "the pre_tokenizer Metaspace"),
            (["pre_tokenizer": .null], "the pre_tokenizer does not end with ByteLevel"),
            (["decoder": ["type": "Metaspace"]], "the decoder Metaspace"),
            (["decoder": .null], "the decoder null"),
            (["post_processor": ["type": "Odd"]], "the post_processor Odd"),
            (
                [
                    "pre_tokenizer": [
                        "type": "Sequence",
                        "pretokenizers": [["type": "ByteLevel"], ["type": "Digits"]],
                    ]
                ], "the pre_tokenizer Digits comes after ByteLevel"
            ),
            (
                [
                    "pre_tokenizer": [
                        "type": "Split", "pattern": ["Regex": #"\p{Han}+"#], "behavior": "Isolated",
                    ]
                ], #"the regular expression "\p{Han}+" uses the property \p{Han}"#
            ),
        ] as [(JSONObject, String)])
    func `what is not supported is refused by its name`(change: JSONObject, words: String) throws {
        let text = message {
            _ = try tinyTokenizer { file in
                for (key, value) in change { file[key] = value }
            }
        }
        #expect(text?.contains(words) == true, "\(text ?? "no error")")
    }

    @Test func `options of the model that change ids are refused`() throws {
        let changes: [(String, JSON, String)] = [
            ("byte_fallback", true, "byte_fallback"), ("dropout", 0.1, "dropout"),
            ("end_of_word_suffix", "</w>", "end_of_word_suffix"),
            ("unk_token", "<unk>", "unk_token"),
        ]
        for (key, value, word) in changes {
            let text = message {
                _ = try tinyTokenizer { file in
                    var model = file["model"]?.object ?? [:]
                    model[key] = value
                    file["model"] = .object(model)
                }
            }
            #expect(text?.contains(word) == true, "\(key): \(text ?? "no error")")
        }
    }

    @Test func `a damaged file is an error, wherever it ends`() throws {
        let bytes = try FixtureFiles.bytes("tiny/tokenizer.json")
        for end in stride(from: 0, to: bytes.count - 2, by: 211) {
            #expect(throws: FormatError.self) {
                _ = try Tokenizer(Array(bytes[..<end]), name: "tokenizer.json")
            }
        }
    }

    @Test func `a folder without a tokenizer is named`() {
        let text = message { _ = try Tokenizer(directory: "/no/such/folder") }
        #expect(text == "/no/such/folder: there is no tokenizer.json that can be read")
    }
}
