import Adapters
import ArgumentParser
import Formats
import Models
import Rollouts
import Tensors
import Training

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Answer prompts.",
        discussion: """
            Rows of --input are {"prompt_ids": [...]}, {"prompt": "..."} or {"messages": [...]}; \
            rows of the output {"prompt_ids", "output_ids", "text", "finish_reason", "logprobs"}. \
            "adapter": "DIR" in a row stands for --adapter there; rows of different adapters run \
            together.
            """)

    @OptionGroup var model: ModelOptions

    @Option(help: "How products with int8 and int4 weights read activations.")
    var activations: ActivationPrecision = .float32

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

    @Flag(help: "Tell tokens a second, the time to the first token and the peak memory.")
    var speed = false

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

    func run() throws { try model.onDevice(generate) }

    private func generate() throws {
        let start = ContinuousClock.now
        let (decoder, adapter) = try model.load()
        let text = try TextModel(
            directory: model.model, vocabularySize: decoder.config.vocabularySize,
            textIsMessage: chat)
        let inputs = try loadRows()
        let prompts = try inputs.map { row in
            let ids = try text.promptIDs(row)
            try row.check(ids, decoder.config, room: 1)
            return ids
        }
        let named = try RowAdapters(inputs, for: decoder.config)
        let requests = prompts.enumerated().map { index, ids in
            RolloutRequest(
                id: UInt64(index), prompt: ids, sampling: sampling(decoder, text.tokenizer),
                adapter: named.ofRow[index])
        }
        var settings = EngineSettings()
        settings.activations = activations
        // Nothing else needs the GPU's memory.
        if !decoder.device.isHost { settings.cacheLimit = .memoryShare(0.9) }
        settings.maxModelLength = decoder.config.maxPositions
        let engine = try RolloutEngine(model: decoder, settings: settings)
        for adapter in named.adapters { try engine.register(adapter) }
        var rows = OrderedRows(try RowOutput(path: output))
        let served = adapter.map {
            EngineAdapter(name: "--adapter", version: 0, weights: $0.weights(training: false))
        }
        _ = try engine.generate(requests, adapter: served) { completion in
            let index = Int(completion.requestID)
            try rows.add(
                index, try row(prompts[index], completion, text.tokenizer),
                asText: prompt != nil && output == nil)
        }
        try rows.finish()
        if speed { note(engine.times.description(since: start, on: decoder.device)) }
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

extension EngineTimes {
    /// One line for people; a part that did not happen is left out.
    fileprivate func description(
        since start: ContinuousClock.Instant, on device: Device
    ) -> String {
        var parts: [String] = []
        for (name, work) in [("prefill", prefill), ("decode", decode)] {
            guard let rate = work.tokensPerSecond else { continue }
            parts.append("\(name) \(work.tokens) tokens, \(rate.formatted(digits: 1))/s")
        }
        if let firstToken {
            let seconds = (firstToken - start).seconds
            parts.append("first token after \(seconds.formatted(digits: 3)) s")
        }
        let peak = Double(ProcessMemory.peakResidentBytes) / Double(1 << 30)
        parts.append("peak memory \(peak.formatted(digits: 2)) GiB")
        if !device.isHost { parts.append("of the GPU \(device.peakMemory.asMemorySize)") }
        return parts.joined(separator: "; ")
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
