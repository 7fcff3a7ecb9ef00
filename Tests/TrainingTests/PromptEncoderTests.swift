import Formats
import OracleFixtures
import Testing

@testable import Training

struct PromptEncoderTests {
    private func tokenizer() throws -> Tokenizer {
        try Tokenizer(directory: OracleFixtures.path("models/qwen2-tiny"))
    }

    /// The layout of Qwen2's template, with a given end of a turn.
    private func chatML(end: String) -> PromptEncoder.Rendering {
        { messages, opensAnswer, _ in
            let turns = messages.map {
                "<|im_start|>\($0["role"]?.string ?? "")\n\($0["content"]?.string ?? "")\(end)\n"
            }
            return turns.joined() + (opensAnswer ? "<|im_start|>assistant\n" : "")
        }
    }

    @Test("messages become what the template and the tokenizer make of them")
    func messages() throws {
        let tokenizer = try tokenizer()
        let encoder = try PromptEncoder(tokenizer, rendering: chatML(end: "<|im_end|>"))
        let encode = try #require(encoder.messages)
        let ids = try encode([["role": "user", "content": "hi"]], JSONObject())
        #expect(
            try tokenizer.decode(ids, skipSpecialTokens: false)
                == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    }

    @Test("a response ends with the template's token where generation stops at it")
    func endOfTurn() throws {
        // A base model's tokenizer: a text ends with one token, a turn of a chat with another.
        let source = OracleFixtures.path("models/qwen2-tiny")
        let end = try #require(try tokenizer().tokenID("<|im_end|>"))
        let endOfText = try #require(try tokenizer().tokenID("<|endoftext|>"))
        try withTemporaryFolder { folder in
            let bytes = try [UInt8](contentsOfFile: "\(source)/tokenizer.json")
            let files = [
                "tokenizer.json": String(decoding: bytes, as: UTF8.self),
                "tokenizer_config.json": #"{"eos_token": "<|endoftext|>"}"#,
                "generation_config.json": "{\"eos_token_id\": [\(endOfText), \(end)]}",
            ]
            for (name, text) in files { try AtomicFile.write(text, to: "\(folder)/\(name)") }
            let base = try Tokenizer(directory: folder)
            let turns = try PromptEncoder(base, rendering: chatML(end: "<|im_end|>"))
            #expect(turns.endOfTurn == end)
            let unknown = try PromptEncoder(base, rendering: chatML(end: "<|im_start|>"))
            #expect(unknown.endOfTurn == endOfText)
            #expect(try PromptEncoder(base, rendering: nil).endOfTurn == endOfText)
        }
    }
}
