import Adapters
import ArgumentParser
import Formats
import Models
import Rollouts

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Answer prompts.",
        discussion: """
            Rows of --input are {"prompt_ids": [...]}, {"prompt": "..."} or {"messages": [...]}; \
            rows of the output {"prompt_ids", "output_ids", "text", "finish_reason", "logprobs"}.
            """)

    @OptionGroup var model: ModelOptions

    @Option(help: "One prompt; its answer is printed as text.")
    var prompt: String?

    @Option(help: "A JSON-lines file of prompts.")
    var input: String?

    @Option(help: "The JSON-lines file to write; standard output unless given.")
    var output: String?

    @Option(help: "Answer the first so many rows only.")
    var limit: Int?

    @Option(help: "Divides the logits; 0 takes the most probable token always.")
    var temperature: Float = 0

    @Option(help: "The most tokens an answer may have.")
    var maxNewTokens: Int = 256

    @Option(help: "No answer ends before it has so many tokens.")
    var minNewTokens: Int = 0

    @Option(help: "Draw from the most probable so many tokens; 0 for all.")
    var topK: Int = 0

    @Option(help: "Draw from the most probable tokens that together have this probability.")
    var topP: Float = 1

    @Option(help: "Seed of the sampling.")
    var seed: UInt64 = 0

    @Flag(
        help: "Take a prompt that is a text as a user's message, for the model's chat template.")
    var chat = false

    @Flag(help: "Go on after an end-of-sequence token.")
    var ignoreEos = false

    func validate() throws {
        guard (prompt == nil) != (input == nil) else {
            throw ValidationError("Give either --prompt TEXT or --input FILE.")
        }
        if let limit, limit < 1 {
            throw ValidationError("--limit is \(limit); it must be at least 1.")
        }
        try validateSampling()
    }

    private func validateSampling() throws {
        guard temperature == 0 || (temperature >= 0.001 && temperature.isFinite) else {
            throw ValidationError(
                "--temperature is \(temperature); it must be 0 or at least 0.001.")
        }
        guard maxNewTokens >= 1 else {
            throw ValidationError("--max-new-tokens is \(maxNewTokens); it must be at least 1.")
        }
        guard 0...maxNewTokens ~= minNewTokens else {
            throw ValidationError(
                "--min-new-tokens is \(minNewTokens); it must be from 0 to --max-new-tokens, "
                    + "\(maxNewTokens).")
        }
        guard topK >= 0 else {
            throw ValidationError("--top-k is \(topK); it must be at least 1, or 0 for all.")
        }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p is \(topP); it must be above 0 and at most 1.")
        }
    }

    func run() throws {
        let (decoder, adapter) = try model.load()
        let text = try TextModel(
            directory: model.model, vocabularySize: decoder.config.vocabularySize,
            textIsMessage: chat)
        let prompts = try loadRows().map { row in
            let ids = try text.promptIDs(row)
            try row.check(ids, decoder.config, room: 1)
            return ids
        }
        let requests = prompts.enumerated().map { index, ids in
            RolloutRequest(
                id: UInt64(index), prompt: ids, sampling: sampling(decoder, text.tokenizer))
        }
        var settings = EngineSettings()
        settings.maxModelLength = decoder.config.maxPositions
        let engine = try RolloutEngine(model: decoder, settings: settings)
        var rows = OrderedRows(try RowOutput(path: output))
        let served = adapter.map {
            EngineAdapter(name: "adapter", version: 0, weights: $0.weights(training: false))
        }
        _ = try engine.generate(requests, adapter: served) { completion in
            let index = Int(completion.requestID)
            try rows.add(
                index, try row(prompts[index], completion, text.tokenizer),
                asText: prompt != nil && output == nil)
        }
        try rows.finish()
    }

    private func loadRows() throws -> [InputRow] {
        if let prompt {
            return [try InputRow(name: "--prompt", .object(["prompt": .string(prompt)]))]
        }
        return try inputRows(input ?? "", limit: limit)
    }

    private func sampling(_ decoder: Decoder, _ tokenizer: Tokenizer) -> SamplingSettings {
        SamplingSettings(
            temperature: temperature, topK: topK, topP: topP, maxTokens: maxNewTokens,
            minTokens: minNewTokens,
            stopIDs: Set(tokenizer.eosTokenIDs + decoder.config.endOfSequenceIDs),
            ignoreEOS: ignoreEos, seed: seed)
    }

    private func row(
        _ prompt: [Int32], _ completion: Completion, _ tokenizer: Tokenizer
    ) throws -> JSON {
        [
            "prompt_ids": .array(prompt.map { .integer(Int($0)) }),
            "output_ids": .array(completion.tokens.map { .integer(Int($0)) }),
            "text": .string(tokenizer.responseText(completion.tokens)),
            "finish_reason": .string(completion.finishReason.rawValue),
            "logprobs": .array(completion.logProbabilities.map { .number(Double($0)) }),
        ]
    }
}

/// Puts rows that come in any order out in theirs, each as soon as those before it are out.
private struct OrderedRows: ~Copyable {
    private var output: RowOutput
    private var waiting: [Int: JSON] = [:]
    private var next = 0

    init(_ output: consuming RowOutput) {
        self.output = output
    }

    mutating func add(_ index: Int, _ row: JSON, asText: Bool) throws {
        if asText {
            print(row["text"]?.string ?? "")
            return
        }
        waiting[index] = row
        while let row = waiting.removeValue(forKey: next) {
            try output.write(row)
            next += 1
        }
    }

    consuming func finish() throws {
        try output.finish()
    }
}
