import Adapters
import ArgumentParser
import Formats
import Models
import Tensors

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Give log-probability and entropy of each next token of given texts.",
        discussion: """
            Rows of --input are {"input_ids": [...]}, {"prompt", "response"} or {"messages", \
            "response"}; rows of the output {"logprobs": [n-1], "entropy": [n-1]}, in nats.
            """)

    @OptionGroup var model: ModelOptions

    @Option(help: "A JSON-lines file.")
    var input: String

    @Option(help: "The JSON-lines file to write; standard output unless given.")
    var output: String?

    @Option(help: "What logits are divided by.")
    var temperature: Float = 1

    /// Tokens that are computed at once.
    private static let tokenBudget = 4096

    func validate() throws {
        guard temperature >= 0.001, temperature.isFinite else {
            throw ValidationError("--temperature is \(temperature); it must be at least 0.001.")
        }
    }

    func run() throws { try model.onDevice(scoreAll) }

    private func scoreAll() throws {
        let (decoder, adapter) = try model.load()
        let text = try TextModel(
            directory: model.model, vocabularySize: decoder.config.vocabularySize)
        let sequences = try inputRows(input).map { row in
            try checked(sequence(row, text), row, decoder.config)
        }
        let weights = adapter?.weights(training: false)
        var rows = try RowOutput(path: output)
        var start = 0
        while start < sequences.count {
            var end = start + 1
            var tokens = sequences[start].count
            while end < sequences.count, tokens + sequences[end].count <= Self.tokenBudget {
                tokens += sequences[end].count
                end += 1
            }
            for row in score(sequences[start..<end], decoder, weights) { try rows.write(row) }
            start = end
        }
        try rows.finish()
    }

    private func sequence(_ row: InputRow, _ text: TextModel) throws -> [Int32] {
        if let ids = row.fields["input_ids"] { return try row.ids(ids, key: "input_ids") }
        let response = text.tokenizer.encode(try row.text("response"))
        return try text.promptIDs(row) + response
    }

    private func checked(
        _ ids: [Int32], _ row: InputRow, _ config: DecoderConfig
    ) throws -> [Int32] {
        guard ids.count >= 2 else {
            throw row.error("one token has no next one to score; give at least 2")
        }
        try row.check(ids, config)
        return ids
    }

    /// All sequences in one forward pass.
    private func score(
        _ sequences: ArraySlice<[Int32]>, _ decoder: Decoder, _ adapter: AdapterWeights?
    ) -> [JSON] {
        let input = DecoderInput(packing: sequences.map { Array($0.dropLast()) })
        let scores = tokenLogProbabilities(
            decoder.hidden(input, adapter: adapter), decoder.weights.head,
            targets: TokenIndices(sequences.flatMap { $0.dropFirst() }),
            temperature: temperature, nil)
        var start = 0
        return sequences.map { sequence in
            let range = start..<start + sequence.count - 1
            start = range.upperBound
            return [
                "logprobs": .array(scores.logProbabilities[range].map { .number(Double($0)) }),
                "entropy": .array(scores.entropies[range].map { .number(Double($0)) }),
            ]
        }
    }
}
