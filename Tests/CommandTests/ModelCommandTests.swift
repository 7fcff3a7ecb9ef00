import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@Suite("Commands that make and look at models")
struct ModelCommandTests {
    /// The log-probabilities that `score` gives for one sequence.
    private func scores(_ arguments: [String], in folder: String) throws -> [Float] {
        try AtomicFile.write(
            #"{"input_ids": [5, 9, 100, 33, 7, 250, 4]}"#, to: "\(folder)/in.jsonl")
        let result = try Program.run(["score", "--input", "\(folder)/in.jsonl"] + arguments)
        #expect(result.status == 0, "\(result.error)")
        let row = try JSON(parsing: Array(result.output.utf8), name: "output")
        return row["logprobs"]?.array?.compactMap { $0.double.map(Float.init) } ?? []
    }

    @Test(
        "merge writes a model that is the base with its adapter", arguments: OracleFixtures.models)
    func merge(model: String) throws {
        try withTemporaryFolder { folder in
            let adapter = OracleFixtures.path("adapters/\(model)--rslora-r16")
            let result = try Program.run([
                "merge", "--model", tinyModel(model), "--adapter", adapter, "--output",
                "\(folder)/merged",
            ])
            #expect(result.status == 0, "\(result.error)")
            #expect(result.output == "")
            let (merged, adapted, base) = try (
                scores(["--model", "\(folder)/merged"], in: folder),
                scores(["--model", tinyModel(model), "--adapter", adapter], in: folder),
                scores(["--model", tinyModel(model)], in: folder)
            )
            #expect(merged.count == 6)
            #expect(largestDifference(merged, adapted) <= 2e-5)
            #expect(largestDifference(base, adapted) > 1e-3)
            let again = try Program.run([
                "merge", "--model", tinyModel(model), "--adapter", adapter, "--output",
                "\(folder)/merged",
            ])
            #expect(again.status != 0 && again.error.contains("exists already"))
        }
    }

    @Test("init makes a checkpoint that depends on config and seed alone")
    func initialise() throws {
        try withTemporaryFolder { folder in
            func make(_ name: String, _ more: [String]) throws -> [UInt8] {
                let result = try Program.run(
                    [
                        "init", "--config", "\(tinyModel())/config.json", "--tokenizer",
                        tinyModel(), "--output", "\(folder)/\(name)",
                    ] + more)
                #expect(result.status == 0, "\(result.error)")
                #expect(result.output == "")
                return try [UInt8](contentsOfFile: "\(folder)/\(name)/model.safetensors")
            }
            let first = try make("a", ["--seed", "1"])
            #expect(try make("b", ["--seed", "1"]) == first)
            #expect(try make("c", ["--seed", "2"]) != first)
            _ = try make("d", ["--dtype", "bfloat16"])
            let decoder = try Decoder(directory: "\(folder)/d")
            #expect(decoder.weights.named.allSatisfy { $0.weight.tensor.dataType == .bfloat16 })

            let doctor = try Program.run(["doctor", "--model", "\(folder)/d"])
            #expect(doctor.status == 0, "\(doctor.error)")
            for word in ["cores", "instructions", "memory", "GFLOP/s", "supported", "bfloat16"] {
                #expect(doctor.output.contains(word), "\(word)")
            }
        }
    }

    @Test("doctor names an architecture that is not supported")
    func unsupported() throws {
        try withTemporaryFolder { folder in
            let config = #"{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}"#
            try AtomicFile.write(config, to: "\(folder)/config.json")
            let result = try Program.run(["doctor", "--model", folder])
            #expect(result.status != 0)
            #expect(result.error.hasPrefix("Error: "))
            #expect(result.error.contains("GPT2LMHeadModel") || result.error.contains("gpt2"))
        }
    }

    @Test(
        "each command explains itself",
        arguments: [
            "train", "sft", "init", "generate", "score", "tokenize", "merge", "doctor",
        ])
    func help(command: String) throws {
        let result = try Program.run([command, "--help"])
        #expect(result.status == 0)
        #expect(result.output.contains("USAGE: lorikeet \(command)"))
    }
}
