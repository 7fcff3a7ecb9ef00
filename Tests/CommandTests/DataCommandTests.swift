import Formats
import OracleFixtures
import Testing

/// Every model with every adapter.
private let pairs = OracleFixtures.models.flatMap { model in
    OracleFixtures.adapters.map { (model, $0) }
}

/// Runs a data command over rows; returns the rows that it writes to standard output.
private func rows(_ arguments: [String], input: [JSON]) throws -> [JSON] {
    try withTemporaryFolder { folder in
        let text = input.map { $0.serialized() + "\n" }.joined()
        try AtomicFile.write(text, to: "\(folder)/in.jsonl")
        let result = try Program.run(arguments + ["--input", "\(folder)/in.jsonl"])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error == "")
        return try result.outputLines.map { try JSON(parsing: Array($0.utf8), name: "output") }
    }
}

extension JSON {
    /// A list of token ids.
    fileprivate init(ids: [Int32]) { self = .array(ids.map { .integer(Int($0)) }) }

    fileprivate var floats: [Float] { (array ?? []).compactMap { $0.double.map(Float.init) } }
    fileprivate var integers: [Int] { (array ?? []).compactMap(\.int) }
}

@Suite("lorikeet generate")
struct GenerateCommandTests {
    @Test("gives the greedy continuations of transformers with peft", arguments: pairs)
    func reference(model: String, adapter: String) throws {
        let name = "\(model)--\(adapter)"
        let cases =
            try JSON(
                contentsOfFile: OracleFixtures.path("generate-\(name).json")
            ).array ?? []
        let found = try rows(
            [
                "generate", "--model", tinyModel(model), "--adapter",
                OracleFixtures.path("adapters/\(name)"), "--max-new-tokens",
                "\(cases.first?["greedy"]?.array?.count ?? 0)",
            ], input: cases.map { ["prompt_ids": $0["prompt"] ?? .null] })
        #expect(cases.count == 3 && found.count == 3)
        for (row, expected) in zip(found, cases) {
            #expect(row["prompt_ids"] == expected["prompt"])
            #expect(row["output_ids"] == expected["greedy"])
            #expect(row["finish_reason"]?.string == "length")
            #expect(row["logprobs"]?.floats.count == expected["greedy"]?.array?.count)
            #expect(row["text"]?.string != nil)
        }
    }

    @Test("writes answers in the order of the input, whichever ends first")
    func order() throws {
        // The model has 512 positions, so the second answer ends after 4 tokens.
        let prompts = [3, 508, 2, 500].map { length in (0..<length).map { Int32(3 + $0 % 400) } }
        let found = try rows(
            [
                "generate", "--model", tinyModel(), "--max-new-tokens", "20", "--temperature", "1",
                "--seed", "3", "--ignore-eos",
            ], input: prompts.map { ["prompt_ids": JSON(ids: $0)] })
        #expect(found.map { $0["prompt_ids"] ?? .null } == prompts.map { JSON(ids: $0) })
        #expect(found.map { $0["output_ids"]?.array?.count } == [20, 4, 20, 12])
    }

    @Test("the same seed gives the same answers, and --output the same file")
    func seeds() throws {
        try withTemporaryFolder { folder in
            try AtomicFile.write(#"{"prompt": "one two"}"#, to: "\(folder)/in.jsonl")
            func answers(_ seed: Int, _ more: [String] = []) throws -> String {
                let result = try Program.run(
                    [
                        "generate", "--model", tinyModel(), "--input", "\(folder)/in.jsonl",
                        "--temperature", "1", "--max-new-tokens", "12", "--seed", "\(seed)",
                    ] + more)
                #expect(result.status == 0, "\(result.error)")
                return result.output
            }
            let first = try answers(1)
            #expect(try answers(1) == first)
            #expect(try answers(2) != first)
            #expect(try answers(1, ["--top-k", "1"]) != first)
            #expect(try answers(1, ["--output", "\(folder)/out.jsonl"]) == "")
            #expect(try [UInt8](contentsOfFile: "\(folder)/out.jsonl") == Array(first.utf8))
        }
    }

    @Test("serves rows of several adapters together as each alone")
    func manyAdapters() throws {
        let folders = ["qv-r4", "rslora-r16"].map {
            OracleFixtures.path("adapters/qwen2-tiny--\($0)")
        }
        let command = ["generate", "--model", tinyModel(), "--max-new-tokens", "8"]
        let prompt: JSON = [5, 9, 100, 33]
        let together = try rows(
            command,
            input: [
                ["prompt_ids": prompt, "adapter": .string(folders[0])], ["prompt_ids": prompt],
                ["prompt_ids": prompt, "adapter": .string(folders[1])],
            ])
        let alone = try [["--adapter", folders[0]], [], ["--adapter", folders[1]]].map {
            try rows(command + $0, input: [["prompt_ids": prompt]])[0]
        }
        #expect(together == alone)
        #expect(Set(alone.map { $0.serialized() }).count == 3)
    }

    @Test("tells its speed when asked")
    func speed() throws {
        let result = try Program.run([
            "generate", "--model", tinyModel(), "--prompt", "hello", "--max-new-tokens", "5",
            "--ignore-eos", "--speed",
        ])
        #expect(result.status == 0 && result.errorLines.count == 1)
        let words = ["prefill", "decode 4 tokens, ", "/s", "first token after", "peak memory"]
        for word in words { #expect(result.error.contains(word), "\(word)") }
    }

    @Test("answers one --prompt with its text alone")
    func onePrompt() throws {
        let result = try Program.run([
            "generate", "--model", tinyModel(), "--prompt", "hello", "--max-new-tokens", "5",
        ])
        #expect(result.status == 0 && result.error == "")
        let row = try rows(
            ["generate", "--model", tinyModel(), "--max-new-tokens", "5"],
            input: [["prompt": "hello"]])
        #expect(result.output == (row[0]["text"]?.string ?? "?") + "\n")
    }
}

@Suite("lorikeet score")
struct ScoreCommandTests {
    /// The sequences of an oracle without their padding, and where each one's values begin.
    private func sequences(_ file: SafetensorsFile) throws -> [[Int32]] {
        let (ids, mask) = try (file.integers("input_ids"), file.integers("attention_mask"))
        let width = try file.entry("input_ids").shape[1]
        return stride(from: 0, to: ids.count, by: width).map { start in
            (start..<start + width).filter { mask[$0] == 1 }.map { ids[$0] }
        }
    }

    private func check(_ found: [JSON], _ file: SafetensorsFile, _ sequences: [[Int32]]) throws {
        let width = try file.entry("logprobs").shape[1]
        let expected = try (file.floats("logprobs"), file.floats("entropy"))
        #expect(found.count == sequences.count)
        for (index, row) in found.enumerated() {
            let range = index * width..<index * width + sequences[index].count - 1
            #expect(
                largestDifference(row["logprobs"]?.floats ?? [], expected.0[range]) <= 2e-5)
            #expect(largestDifference(row["entropy"]?.floats ?? [], expected.1[range]) <= 2e-5)
        }
    }

    @Test(
        "gives the log-probabilities and entropies of transformers",
        arguments: OracleFixtures.models)
    func base(model: String) throws {
        let file = try SafetensorsFile(path: OracleFixtures.path("forward-\(model).safetensors"))
        let sequences = try sequences(file)
        let found = try rows(
            ["score", "--model", tinyModel(model)],
            input: sequences.map { ["input_ids": JSON(ids: $0)] })
        try check(found, file, sequences)
    }

    @Test("gives those with an adapter and a temperature", arguments: pairs)
    func adapted(model: String, adapter: String) throws {
        let name = "\(model)--\(adapter)"
        let file = try SafetensorsFile(path: OracleFixtures.path("step-\(name).safetensors"))
        let sequences = try sequences(file)
        let found = try rows(
            [
                "score", "--model", tinyModel(model), "--adapter",
                OracleFixtures.path("adapters/\(name)"), "--temperature",
                file.metadata["temperature"] ?? "",
            ], input: sequences.map { ["input_ids": JSON(ids: $0)] })
        try check(found, file, sequences)
    }

    @Test("takes a prompt with a response, and messages with one")
    func texts() throws {
        let found = try rows(
            ["score", "--model", tinyModel()],
            input: [
                ["prompt": "one two", "response": " three"],
                ["messages": [["role": "user", "content": "hi"]], "response": "ho"],
            ])
        let tokenizer = try Tokenizer(directory: tinyModel())
        let chat = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        let counts = [
            tokenizer.encode("one two").count + tokenizer.encode(" three").count,
            tokenizer.encode(chat).count + tokenizer.encode("ho").count,
        ]
        #expect(found.map { $0["logprobs"]?.array?.count } == counts.map { $0 - 1 })
        #expect(found.map { $0["entropy"]?.array?.count } == counts.map { $0 - 1 })
    }
}

@Suite("lorikeet tokenize")
struct TokenizeCommandTests {
    private let texts = ["", "hello", "naïve 你好 👩‍👩‍👧\n\t  42", "a<|im_end|>b", "  \n\n x"]

    @Test("turns texts into ids and back, row by row", arguments: OracleFixtures.models)
    func roundTrip(model: String) throws {
        let tokenizer = try Tokenizer(directory: tinyModel(model))
        let ids = try rows(
            ["tokenize", "--model", tinyModel(model)], input: texts.map { ["text": .string($0)] })
        #expect(
            ids.map { $0["ids"]?.integers ?? [] }
                == texts.map { tokenizer.encode($0).map { Int($0) } })
        let back = try rows(["tokenize", "--model", tinyModel(model), "--decode"], input: ids)
        #expect(back.map { $0["text"]?.string } == texts)
    }

    @Test("lays conversations out by the chat template")
    func chat() throws {
        let found = try rows(
            ["tokenize", "--model", tinyModel(), "--chat"],
            input: [
                ["messages": [["role": "user", "content": "hi"]]],
                [
                    "messages": [
                        ["role": "system", "content": "s"], ["role": "user", "content": "u"],
                    ],
                    "add_generation_prompt": true,
                ],
            ])
        #expect(
            found.map { $0["text"]?.string } == [
                "<|im_start|>user\nhi<|im_end|>\n",
                "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n"
                    + "<|im_start|>assistant\n",
            ])
    }
}
