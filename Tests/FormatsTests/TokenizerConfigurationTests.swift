import Foundation
import Testing

@testable import Formats

/// A folder with `tiny/tokenizer.json` and other files beside it, for as long as `body` runs.
private func withFolder<Result>(
    _ files: [String: String], _ body: (String) throws -> Result
) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("lorikeet-tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let tokenizer = try FixtureFiles.bytes("tiny/tokenizer.json")
    try Data(tokenizer).write(to: folder.appendingPathComponent("tokenizer.json"))
    for (name, text) in files {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    return try body(folder.path)
}

@Suite struct TokenizerConfigurationTests {
    @Test func `end tokens come from both files, each once`() throws {
        let files = [
            "generation_config.json": #"{"eos_token_id": [0, 2]}"#,
            "tokenizer_config.json": #"{"eos_token": "<|im_end|>", "bos_token": null}"#,
        ]
        #expect(try withFolder(files) { try Tokenizer(directory: $0).eosTokenIDs } == [0, 2])
        let one = [
            "generation_config.json": #"{"eos_token_id": 0}"#,
            "tokenizer_config.json": #"{"eos_token": {"content": "<|im_end|>"}}"#,
        ]
        #expect(try withFolder(one) { try Tokenizer(directory: $0).eosTokenIDs } == [0, 2])
    }

    @Test func `without other files there are no special tokens and no template`() throws {
        try withFolder([:]) { folder in
            let tokenizer = try Tokenizer(directory: folder)
            #expect(tokenizer.eosTokenIDs == [])
            #expect(tokenizer.eosToken == nil)
            #expect(tokenizer.chatTemplate == nil)
        }
    }

    @Test func `a token named special is special, though tokenizer.json does not say so`() throws {
        let files = ["special_tokens_map.json": #"{"pad_token": {"content": "he"}}"#]
        try withFolder(files) { folder in
            let tokenizer = try Tokenizer(directory: folder)
            let pad = try #require(tokenizer.padTokenID)
            #expect(tokenizer.isSpecial(pad))
            #expect(tokenizer.encode("xhex").contains(pad))
        }
    }

    @Test func `tokens of the configuration are added to those of the tokenizer`() throws {
        let files = [
            "tokenizer_config.json":
                #"{"added_tokens_decoder": {"600": {"content": "<tool>", "special": false}}}"#
        ]
        try withFolder(files) { folder in
            let tokenizer = try Tokenizer(directory: folder)
            #expect(tokenizer.encode("<tool>") == [600])
            #expect(tokenizer.vocabularySize == 601)
            #expect(try tokenizer.decode([600], skipSpecialTokens: true) == "<tool>")
            #expect(throws: FormatError.self) {
                try tokenizer.decode([555], skipSpecialTokens: false)
            }
        }
    }

    @Test(arguments: [
        ("tokenizer_config.json", #"{"eos_token": "<nowhere>"}"#, "'<nowhere>'"),
        ("tokenizer_config.json", #"{"chat_template": 3}"#, "chat_template"),
        ("tokenizer_config.json", #"{"added_tokens_decoder": {"x": {}}}"#, "\"x\""),
        ("tokenizer_config.json", "{", "tokenizer_config.json"),
        ("generation_config.json", #"{"eos_token_id": "2"}"#, "eos_token_id"),
        ("generation_config.json", #"{"eos_token_id": [2, -1]}"#, "eos_token_id"),
    ])
    func `a wrong value is named`(file: String, text: String, words: String) throws {
        try withFolder([file: text]) { folder in
            let error = #expect(throws: FormatError.self) { _ = try Tokenizer(directory: folder) }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }
}
