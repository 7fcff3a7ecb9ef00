import Formats
import Testing

@testable import Training

/// An encoder with one id a byte; messages are rendered as `role:content;`.
func byteEncoder(hasChatTemplate: Bool = true) -> PromptEncoder {
    let bytes: @Sendable (String) -> [Int32] = { text in text.utf8.map { Int32($0) } }
    let render: @Sendable ([JSON], JSONObject) -> [Int32] = { messages, arguments in
        let turns = messages.map {
            ($0["role"]?.string ?? "") + ":" + ($0["content"]?.string ?? "") + ";"
        }
        return bytes(turns.joined() + (arguments["suffix"]?.string ?? ""))
    }
    return PromptEncoder(
        messages: hasChatTemplate ? render : nil, text: { [1] + bytes($0) }, continuation: bytes,
        endOfTurn: 0)
}

private func text(_ ids: [Int32]) -> String {
    String(decoding: ids.map { UInt8($0) }, as: UTF8.self)
}

/// What is thrown, as its sentence.
func sentence(_ body: () throws -> Void) -> String {
    var found = ""
    #expect {
        try body()
    } throws: { error in
        found = "\(error)"
        return true
    }
    return found
}

struct PromptDatasetTests {
    private func dataset(
        _ content: String, named name: String = "train.jsonl",
        _ settings: PromptSettings = PromptSettings(), hasChatTemplate: Bool = true,
        limit: Int? = nil, seed: Int? = nil
    ) throws -> PromptDataset {
        let file = TemporaryFile(name, content)
        return try PromptDataset(
            files: [file.path], settings, byteEncoder(hasChatTemplate: hasChatTemplate),
            limit: limit, seed: seed)
    }

    @Test("a row of verl is read with its answer, source and further information")
    func verlRow() throws {
        let row = try #require(
            try dataset(
                #"{"data_source":"openai/gsm8k","prompt":[{"role":"user","content":"1+1?"}],"ability":"math","reward_model":{"style":"rule","ground_truth":"2"},"extra_info":{"index":7}}"#
            ).rows.first)
        #expect(text(row.promptIDs) == "user:1+1?;")
        #expect(row.dataSource == "openai/gsm8k")
        #expect(row.groundTruth == "2")
        #expect(row.extraInfo["index"] == 7)
        #expect(row.index == 0)
        #expect(row.name.hasSuffix("train.jsonl line 1"))
    }

    @Test("a plain row is a user's message, or raw text where there is no chat template")
    func plainRow() throws {
        let line = #"{"prompt":"1+1?","answer":2}"#
        let chat = try #require(try dataset(line).rows.first)
        #expect(text(chat.promptIDs) == "user:1+1?;")
        #expect(chat.prompt == .messages([["role": "user", "content": "1+1?"]]))
        #expect(chat.groundTruth == "2")
        #expect(chat.dataSource == "unknown")
        #expect(chat.extraInfo.isNull)
        let raw = try #require(try dataset(line, hasChatTemplate: false).rows.first)
        #expect(text(raw.promptIDs) == "\u{1}1+1?")
    }

    @Test("fields and values for the template are chosen by settings")
    func keys() throws {
        let settings = PromptSettings(
            promptKey: "q", sourceKey: "s", answerKey: "a", chatTemplateArguments: ["suffix": "!"])
        let row = try #require(try dataset(#"{"q":"x","a":"y","s":"z"}"#, settings).rows.first)
        #expect(text(row.promptIDs) == "user:x;!")
        #expect(row.groundTruth == "y")
        #expect(row.dataSource == "z")
    }

    @Test("an array of rows in a .json file is read too")
    func jsonArray() throws {
        let rows = try dataset(
            "\n[{\"prompt\":\"a\",\"answer\":\"b\"},{\"prompt\":\"c\",\"answer\":\"d\"}]",
            named: "t.json"
        ).rows
        #expect(rows.map(\.groundTruth) == ["b", "d"])
        #expect(rows[1].name.hasSuffix("t.json row 2"))
        #expect(try dataset(#"{"prompt":"a","answer":"b"}"#, named: "t.json").rows.count == 1)
    }

    @Test("blank lines keep the numbers of the lines")
    func blankLines() throws {
        let rows = try dataset(
            "\n{\"prompt\":\"a\",\"answer\":\"b\"}\r\n\n{\"prompt\":\"c\",\"answer\":\"d\"}"
        ).rows
        #expect(rows.map { $0.name.suffix(6) } == ["line 2", "line 4"])
    }

    @Test(
        "a bad row is named with its file and line",
        arguments: [
            (#"{"prompt":"a","answer":"b"}"# + "\n{broken", "line 2"),
            ("[1]", "line 1"), (#"{"answer":"b"}"#, "'prompt'"),
            (#"{"prompt":"a"}"#, "'answer'"), (#"{"prompt":5,"answer":"b"}"#, "a number"),
            (#"{"prompt":[],"answer":"b"}"#, "empty"),
            (#"{"prompt":[{"content":"x"}],"answer":"b"}"#, "'role'"),
            (#"{"prompt":[{"role":"user","content":[1]}],"answer":"b"}"#, "'content'"),
            (#"{"prompt":"a","answer":"b","data_source":5}"#, "'data_source'"),
            (#"{"prompt":"a","reward_model":{"ground_truth":null}}"#, "'answer'"),
        ])
    func badRows(content: String, part: String) {
        let message = sentence { _ = try dataset(content) }
        #expect(message.contains("train.jsonl"), "\(message)")
        #expect(message.contains(" line "), "\(message)")
        #expect(message.contains(part), "\(message)")
    }

    @Test("messages need a chat template, and an empty prompt is refused")
    func noTemplate() {
        let line = #"{"prompt":[{"role":"user","content":"x"}],"answer":"b"}"#
        #expect(
            sentence { _ = try dataset(line, hasChatTemplate: false) }.contains("chat template"))
    }

    @Test("empty files, missing files and other formats are refused by name")
    func badFiles() {
        #expect(sentence { _ = try dataset("\n\n") }.contains("no rows"))
        #expect(sentence { _ = try dataset("[]", named: "x.json") }.contains("no rows"))
        #expect(sentence { _ = try dataset("PAR1", named: "x.parquet") }.contains("JSON lines"))
        #expect(sentence { _ = try dataset("a,b", named: "x.csv") }.contains("JSON lines"))
        let missing = sentence {
            _ = try PromptDataset(files: ["/none/gone.jsonl"], PromptSettings(), byteEncoder())
        }
        #expect(missing.contains("/none/gone.jsonl"))
    }

    private static let twoRows = #"""
        {"prompt":"abcdefghij","answer":"x"}
        {"prompt":"k","answer":"y"}
        """#

    @Test(
        "a prompt that is too long is cut as told",
        arguments: [
            (PromptTruncation.left, "defghij;"), (.right, "user:abc"), (.middle, "userhij;"),
        ])
    func truncation(truncation: PromptTruncation, expected: String) throws {
        let rows = try dataset(
            Self.twoRows, PromptSettings(maxLength: 8, truncation: truncation)
        ).rows
        #expect(text(rows[0].promptIDs) == expected)
        #expect(text(rows[1].promptIDs) == "user:k;")
    }

    @Test("a prompt that is too long is an error, or left out")
    func overlong() throws {
        let message = sentence { _ = try dataset(Self.twoRows, PromptSettings(maxLength: 8)) }
        #expect(message.contains("line 1") && message.contains("16 tokens"), "\(message)")
        let filtered = try dataset(
            Self.twoRows, PromptSettings(maxLength: 8, filterOverlong: true))
        #expect(filtered.rows.map(\.groundTruth) == ["y"])
        #expect(filtered.rows[0].index == 0)
        #expect(filtered.overlongCount == 1)
        let none = sentence {
            _ = try dataset(Self.twoRows, PromptSettings(maxLength: 2, filterOverlong: true))
        }
        #expect(none.contains("no row is left"))
    }

    @Test("a limit takes the first rows, or with a seed rows by chance in their order")
    func limit() throws {
        let content = (0..<50).map { #"{"prompt":"p\#($0)","answer":"\#($0)"}"# }
            .joined(separator: "\n")
        let first = try dataset(content, limit: 5).rows.compactMap { Int($0.groundTruth) }
        #expect(first == [0, 1, 2, 3, 4])
        let chosen = try dataset(content, limit: 5, seed: 3).rows.compactMap { Int($0.groundTruth) }
        #expect(chosen.count == 5 && chosen == chosen.sorted() && chosen != first)
        #expect(try dataset(content, limit: 500, seed: 3).rows.count == 50)
    }
}

struct ResponseDatasetTests {
    private func rows(
        _ content: String, _ settings: ResponseRowSettings = ResponseRowSettings(),
        hasChatTemplate: Bool = true
    ) throws -> [ResponseRow] {
        let file = TemporaryFile("sft.jsonl", content)
        return try ResponseDataset(
            files: [file.path], settings, byteEncoder(hasChatTemplate: hasChatTemplate)
        ).rows
    }

    @Test(
        "each form of a row gives prompt and response, with the token that ends the turn",
        arguments: [
            #"{"prompt":"q","response":"a"}"#,
            #"{"prompt":[{"role":"user","content":"q"}],"response":"a"}"#,
            #"{"messages":[{"role":"user","content":"q"}],"response":"a"}"#,
            #"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#,
        ])
    func forms(line: String) throws {
        let row = try #require(try rows(line).first)
        #expect(text(row.promptIDs) == "user:q;")
        #expect(row.responseIDs == [97, 0])
    }

    @Test("prompt and response may lie within a field, as in verl's GSM8K rows")
    func nestedFields() throws {
        let settings = ResponseRowSettings(
            promptKey: "extra_info", responseKey: "extra_info", promptPath: ["question"],
            responsePath: ["answer"])
        let row = try #require(
            try rows(#"{"extra_info":{"question":"q","answer":"a"}}"#, settings).first)
        #expect(text(row.promptIDs) == "user:q;")
        #expect(row.responseIDs == [97, 0])
        let message = sentence { _ = try rows(#"{"extra_info":{"question":"q"}}"#, settings) }
        #expect(message.contains("'answer'") && message.contains("'extra_info'"))
    }

    @Test("without a chat template prompt and response are plain text")
    func plain() throws {
        let row = try #require(
            try rows(#"{"prompt":"q","response":"a"}"#, hasChatTemplate: false).first)
        #expect(row.promptIDs == [1, 113])
        #expect(row.responseIDs == [97, 0])
    }

    @Test(
        "a bad row is named",
        arguments: [
            (#"{"prompt":"q"}"#, "'response'"), (#"{"response":"a"}"#, "'prompt'"),
            (#"{"prompt":"q","response":5}"#, "a number"),
            (#"{"messages":[{"role":"user","content":"q"}]}"#, "assistant"),
            (#"{"messages":[{"role":"assistant","content":"a"}]}"#, "assistant"),
        ])
    func badRows(line: String, part: String) {
        let message = sentence { _ = try rows(line) }
        #expect(message.contains("sft.jsonl line 1") && message.contains(part), "\(message)")
    }

    @Test("what is too long is cut from prompt and response together")
    func truncation() throws {
        let line = #"{"prompt":"abcd","response":"xyz"}"#  // "user:abcd;" and "xyz" and the end
        let right = try rows(line, ResponseRowSettings(maxLength: 12, truncation: .right))
        #expect(text(right[0].promptIDs) == "user:abcd;" && text(right[0].responseIDs) == "xy")
        let left = try rows(line, ResponseRowSettings(maxLength: 6, truncation: .left))
        #expect(text(left[0].promptIDs) == "d;" && left[0].responseIDs.count == 4)
        #expect(
            sentence { _ = try rows(line, ResponseRowSettings(maxLength: 6)) }.contains("14 tokens")
        )
        #expect(
            sentence {
                _ = try rows(line, ResponseRowSettings(maxLength: 10, truncation: .right))
            }.contains("response is left"))
        #expect(
            sentence {
                _ = try rows(line, ResponseRowSettings(maxLength: 4, truncation: .left))
            }.contains("prompt is left"))
    }

    @Test("a tokenizer without an end-of-sequence token is refused")
    func noEnd() {
        let file = TemporaryFile("sft.jsonl", #"{"prompt":"q","response":"a"}"#)
        let bytes = byteEncoder()
        let encoder = PromptEncoder(
            messages: bytes.messages, text: bytes.text, continuation: bytes.continuation,
            endOfTurn: nil)
        let message = sentence {
            _ = try ResponseDataset(files: [file.path], ResponseRowSettings(), encoder)
        }
        #expect(message.contains("eos_token"))
    }
}
