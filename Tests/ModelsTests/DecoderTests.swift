import Formats
import Models
import OracleFixtures
import Tensors
import Testing

/// What transformers computes for a tiny model: four sequences with right padding.
private struct ForwardOracle {
    let decoder: Decoder
    let sequences: [[Int32]]
    private let file: SafetensorsFile

    init(_ model: String) throws {
        decoder = try Decoder(directory: OracleFixtures.path("models/\(model)"))
        file = try SafetensorsFile(path: OracleFixtures.path("forward-\(model).safetensors"))
        let ids = try file.integers("input_ids")
        let mask = try file.integers("attention_mask")
        let width = try file.entry("input_ids").shape[1]
        sequences = stride(from: 0, to: ids.count, by: width).map { start in
            (start..<start + width).filter { mask[$0] == 1 }.map { ids[$0] }
        }
    }

    /// The reference's values for the first `count` places of sequence `row`.
    func values(_ name: String, row: Int, count: Int) throws -> [Float] {
        let shape = try file.entry(name).shape
        let width = shape[1...].reduce(1, *)
        let columns = shape.count == 3 ? shape[2] : 1
        let all = try file.floats(name)
        return Array(all[row * width..<row * width + count * columns])
    }
}

@Suite("Decoder")
struct DecoderTests {
    @Test("gives the logits of transformers", arguments: OracleFixtures.models)
    func logits(model: String) throws {
        let oracle = try ForwardOracle(model)
        let packed = oracle.decoder.hidden(DecoderInput(packing: oracle.sequences))
        let logits = oracle.decoder.logits(packed).toArray()
        let V = oracle.decoder.config.vocabularySize
        var start = 0
        for (row, sequence) in oracle.sequences.enumerated() {
            let expected = try oracle.values("logits", row: row, count: sequence.count)
            let found = logits[start * V..<(start + sequence.count) * V]
            #expect(largestDifference(found, expected) <= 1e-4)
            start += sequence.count
        }
    }

    @Test(
        "gives the log-probabilities and entropies of transformers",
        arguments: OracleFixtures.models)
    func tokenScores(model: String) throws {
        let oracle = try ForwardOracle(model)
        for (row, sequence) in oracle.sequences.enumerated() {
            let input = DecoderInput(packing: [Array(sequence.dropLast())])
            let scores = tokenLogProbabilities(
                oracle.decoder.hidden(input), oracle.decoder.weights.head,
                targets: TokenIndices(Array(sequence.dropFirst())), temperature: 1, nil)
            let count = sequence.count - 1
            let logProbabilities = try oracle.values("logprobs", row: row, count: count)
            let entropies = try oracle.values("entropy", row: row, count: count)
            #expect(largestDifference(scores.logProbabilities, logProbabilities) <= 2e-5)
            #expect(largestDifference(scores.entropies, entropies) <= 2e-5)
        }
    }

    @Test("gives a row the same bits alone and in a pack", arguments: OracleFixtures.models)
    func packing(model: String) throws {
        let oracle = try ForwardOracle(model)
        let packed = oracle.decoder.hidden(DecoderInput(packing: oracle.sequences)).toArray()
        let alone = oracle.sequences.flatMap { sequence in
            oracle.decoder.hidden(DecoderInput(packing: [sequence])).toArray()
        }
        #expect(packed.map(\.bitPattern) == alone.map(\.bitPattern))
    }

    @Test("saves a checkpoint that reads back the same", arguments: OracleFixtures.models)
    func saving(model: String) throws {
        let source = OracleFixtures.path("models/\(model)")
        try withTemporaryFolder { folder in
            let decoder = try Decoder(directory: source)
            try decoder.save(to: "\(folder)/copy", from: source)
            let copy = try Decoder(directory: "\(folder)/copy")
            #expect(copy.config == decoder.config)
            let input = DecoderInput(packing: [[5, 6, 7, 8]])
            #expect(copy.hidden(input).toArray() == decoder.hidden(input).toArray())
        }
    }

    @Test("leaves the checkpoint that was there when the new one does not read back")
    func failedSave() throws {
        let source = OracleFixtures.path("models/qwen2-tiny")
        try withTemporaryFolder { folder in
            try AtomicFile.write("earlier", to: "\(folder)/notes.txt")
            let decoder = try Decoder(directory: source)
            // The config that is copied is of another model: what is written cannot be opened.
            #expect(throws: (any Error).self) {
                try decoder.save(to: folder, from: OracleFixtures.path("models/llama3-tiny"))
            }
            #expect(try [UInt8](contentsOfFile: "\(folder)/notes.txt") == Array("earlier".utf8))
            #expect(!fileExists("\(folder)/config.json"))
        }
    }
}
