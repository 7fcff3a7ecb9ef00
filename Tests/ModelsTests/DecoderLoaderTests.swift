import Formats
import Foundation
import Models
import OracleFixtures
import Tensors
import Testing

/// A copy of qwen2-tiny whose config has some keys changed.
private func withChangedConfig(
    _ changes: [String: JSON], _ body: (String) throws -> Void
) throws {
    try withTemporaryFolder { folder in
        let source = OracleFixtures.path("models/qwen2-tiny")
        var fields = try #require(JSON(contentsOfFile: "\(source)/config.json").object)
        fields["layer_types"] = nil  // it would be the first to contradict another depth
        for (key, value) in changes { fields[key] = value }
        try AtomicFile.write(JSON.object(fields).serialized(), to: "\(folder)/config.json")
        try FileManager.default.copyItem(
            atPath: "\(source)/model.safetensors", toPath: "\(folder)/model.safetensors")
        try body(folder)
    }
}

@Suite("Decoder loading")
struct DecoderLoaderTests {
    @Test(
        "refuses a config that contradicts the tensors",
        arguments: [
            ("hidden_size", 96, "implies"),
            ("num_hidden_layers", 4, "model.layers.3"),
            ("num_hidden_layers", 2, "no place for"),
            ("tie_word_embeddings", false, "lm_head.weight"),
            ("vocab_size", 511, "[511, 64]"),
        ] as [(String, JSON, String)])
    func contradictions(key: String, value: JSON, named: String) throws {
        try withChangedConfig([key: value]) { folder in
            #expect {
                _ = try Decoder(directory: folder)
            } throws: { error in
                "\(error)".contains(folder) && "\(error)".contains(named)
            }
        }
    }

    @Test("refuses a folder without a config, by its path")
    func missing() {
        #expect {
            _ = try Decoder(directory: "/nowhere/model")
        } throws: {
            "\($0)".contains("/nowhere/model/config.json")
        }
    }

    @Test("refuses a cut checkpoint")
    func cut() throws {
        try withChangedConfig([:]) { folder in
            let path = "\(folder)/model.safetensors"
            let bytes = try [UInt8](contentsOfFile: path)
            try AtomicFile.write(Array(bytes.dropLast(100)), to: path)
            #expect {
                _ = try Decoder(directory: folder)
            } throws: {
                "\($0)".contains("model.safetensors")
            }
        }
    }

    @Test(
        "makes the same fresh checkpoint from the same seed",
        arguments: [DataType.float32, .float16, .bfloat16])
    func randomWeights(type: DataType) throws {
        try withTemporaryFolder { folder in
            let model = OracleFixtures.path("models/qwen3-tiny")
            for (name, seed) in [("a", 7), ("b", 7), ("c", 8)] as [(String, UInt64)] {
                try RandomWeights.writeCheckpoint(
                    configPath: "\(model)/config.json", tokenizerDirectory: model, seed: seed,
                    type: type, to: "\(folder)/\(name)")
            }
            func bytes(_ name: String) throws -> [UInt8] {
                try [UInt8](contentsOfFile: "\(folder)/\(name)/model.safetensors")
            }
            #expect(try bytes("a") == bytes("b"))
            #expect(try bytes("a") != bytes("c"))
            let decoder = try Decoder(directory: "\(folder)/a")
            #expect(decoder.weights.embedding.tensor.dataType == type)
            let weight = decoder.weights.layers[0][.gate].weight.tensor.toArray()
            let variance = weight.reduce(0) { $0 + Double($1) * Double($1) } / Double(weight.count)
            #expect(abs(variance.squareRoot() - 0.02) < 0.001)
            #expect(decoder.weights.finalNorm.toArray().allSatisfy { $0 == 1 })
            #expect(fileExists("\(folder)/a/tokenizer.json"))
        }
    }
}
