import Adapters
import Formats
import Foundation
import Models
import OracleFixtures
import Tensors
import Testing

/// Each model with each of its adapters.
private let pairs = OracleFixtures.models.flatMap { model in
    OracleFixtures.adapters.map { (model, $0) }
}

/// The logits of a model with one of its adapters, as PEFT computes them.
private struct AdapterOracle {
    let decoder: Decoder
    let adapter: LoRAAdapter
    let sequences: [[Int32]]
    /// Rows of all sequences, without the padding.
    let logits: [Float]

    init(_ model: String, _ name: String) throws {
        decoder = try Decoder(directory: OracleFixtures.path("models/\(model)"))
        adapter = try LoRAAdapter(
            directory: OracleFixtures.path("adapters/\(model)--\(name)"), for: decoder.config)
        let file = try SafetensorsFile(
            path: OracleFixtures.path("merged-\(model)--\(name).safetensors"))
        let (ids, mask) = try (file.integers("input_ids"), file.integers("attention_mask"))
        let width = try file.entry("input_ids").shape[1]
        let V = decoder.config.vocabularySize
        let kept = ids.indices.filter { mask[$0] == 1 }
        let all = try file.floats("logits")
        logits = kept.flatMap { all[$0 * V..<($0 + 1) * V] }
        sequences = stride(from: 0, to: ids.count, by: width).map { start in
            kept.filter { (start..<start + width).contains($0) }.map { ids[$0] }
        }
    }

    func logits(of decoder: Decoder, _ adapter: AdapterWeights? = nil) -> [Float] {
        let input = DecoderInput(packing: sequences)
        return decoder.logits(decoder.hidden(input, adapter: adapter)).toArray()
    }
}

/// Writes a checkpoint anew with its tensors in another type, or split over files.
private func rewrite(
    _ model: String, as type: DataType = .float32, shards: Int = 1, to folder: String
) throws {
    let source = try SafetensorsCheckpoint(directory: OracleFixtures.path("models/\(model)"))
    let tensors = try source.names.map { name in
        let (file, entry) = try source.entry(name)
        return (name, try Tensor(mapping: entry, of: file).converted(to: type))
    }
    let sources = tensors.map { SafetensorsSource(name: $0.0, $0.1) }
    let original = OracleFixtures.path("models/\(model)")
    try CheckpointWriter.write(
        sources, config: JSON(contentsOfFile: "\(original)/config.json"), type: type,
        companionDirectory: original, to: folder)
    guard shards > 1 else { return }
    try FileManager.default.removeItem(atPath: "\(folder)/model.safetensors")
    var map = JSONObject()
    for shard in 0..<shards {
        let name = "model-\(shard + 1).safetensors"
        let part = sources.enumerated().filter { $0.offset % shards == shard }.map(\.element)
        try SafetensorsWriter.write(part, to: "\(folder)/\(name)")
        for source in part { map[source.name] = .string(name) }
    }
    try AtomicFile.write(
        JSON(dictionaryLiteral: ("metadata", [:]), ("weight_map", .object(map))).serialized(),
        to: "\(folder)/model.safetensors.index.json")
}

@Suite("LoRA adapter")
struct LoRAAdapterTests {
    @Test("gives PEFT's logits with PEFT's files", arguments: pairs)
    func logits(model: String, name: String) throws {
        let oracle = try AdapterOracle(model, name)
        let found = oracle.logits(of: oracle.decoder, oracle.adapter.weights(training: false))
        #expect(largestDifference(found, oracle.logits) <= 1e-4)
        // The adapter is what makes the difference.
        #expect(largestDifference(oracle.logits(of: oracle.decoder), oracle.logits) > 1e-2)
    }

    @Test("merged into the base gives PEFT's logits", arguments: pairs)
    func merging(model: String, name: String) throws {
        let oracle = try AdapterOracle(model, name)
        let base = OracleFixtures.path("models/\(model)")
        try withTemporaryFolder { folder in
            try oracle.adapter.merge(base: base, to: "\(folder)/merged")
            let merged = try Decoder(directory: "\(folder)/merged")
            #expect(largestDifference(oracle.logits(of: merged), oracle.logits) <= 1e-4)
            for file in ["config.json", "tokenizer.json", "generation_config.json"] {
                #expect(
                    try [UInt8](contentsOfFile: "\(folder)/merged/\(file)")
                        == [UInt8](contentsOfFile: "\(base)/\(file)"))
            }
        }
    }

    @Test("merging keeps types, shards and index", arguments: [DataType.bfloat16, .float16])
    func mergingShards(type: DataType) throws {
        let oracle = try AdapterOracle("qwen3-tiny", "all-linear-r8")
        try withTemporaryFolder { folder in
            let (base, out) = ("\(folder)/base", "\(folder)/merged")
            try rewrite("qwen3-tiny", as: type, shards: 3, to: base)
            try oracle.adapter.merge(base: base, to: out)
            let (before, after) = try (
                SafetensorsCheckpoint(directory: base), SafetensorsCheckpoint(directory: out)
            )
            #expect(after.fileNames == (1...3).map { "model-\($0).safetensors" })
            #expect(after.names == before.names)
            let decoder = try Decoder(directory: out)
            #expect(decoder.weights.head.tensor.dataType == type)
            // Rounded weights, so only near: what is exact is the sum before it is rounded.
            let module = try #require(oracle.adapter.modules.first)
            let weight = try tensor("\(module.path).weight", of: before)
            let sum = weight.converted(to: .float32)
            let lowRank = oracle.adapter.weights(training: false)[module.layer, module.projection]
            sum.add(try #require(lowRank))
            let merged = try tensor("\(module.path).weight", of: after)
            #expect(merged.hasSameBytes(as: sum.converted(to: type)))
            let norm = "model.norm.weight"
            #expect(try tensor(norm, of: after).hasSameBytes(as: tensor(norm, of: before)))
        }
    }

    private func tensor(_ name: String, of checkpoint: SafetensorsCheckpoint) throws -> Tensor {
        let (file, entry) = try checkpoint.entry(name)
        return try Tensor(mapping: entry, of: file)
    }

    @Test("B A with its scale is what merging adds")
    func product() throws {
        let A = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
        let B = Tensor([1, 0, 0, 1, 2, -1, 1, 1], shape: [4, 2])
        let W = Tensor([Float](repeating: 10, count: 12), shape: [4, 3])
        W.add(LowRank(A: A, B: B, scale: 0.5))
        #expect(
            W.toArray() == [10.5, 11, 11.5, 12, 12.5, 13, 9, 9.5, 10, 12.5, 13.5, 14.5])
    }

    @Test("merging into the base's own folder is refused")
    func mergingInPlace() throws {
        let oracle = try AdapterOracle("qwen2-tiny", "qv-r4")
        let base = OracleFixtures.path("models/qwen2-tiny")
        let found = failure { try oracle.adapter.merge(base: base, to: "\(base)/../qwen2-tiny/") }
        #expect(found?.hasSuffix("is the base model; merge into another folder.") == true)
    }

    @Test("a fresh adapter has A within its bound and adds nothing")
    func initialisation() throws {
        let decoder = try Decoder(directory: OracleFixtures.path("models/qwen2-tiny"))
        let lora = LoRAConfig(rank: 16, alpha: 32)
        let adapter = try LoRAAdapter(lora, for: decoder.config, seed: 7)
        for (index, module) in adapter.modules.enumerated() {
            let (A, B) = (
                adapter.parameters.parameter(2 * index), adapter.parameters.parameter(2 * index + 1)
            )
            #expect(A.shape == [16, module.shape[1]])
            #expect(B.shape == [module.shape[0], 16])
            #expect(B.toArray().allSatisfy { $0 == 0 })
            let bound = 1 / Float(module.shape[1]).squareRoot()
            let values = A.toArray()
            #expect(values.allSatisfy { abs($0) <= bound })
            let variance = values.reduce(0) { $0 + $1 * $1 } / Float(values.count)
            // Uniform: a third of the squared bound, within five standard deviations of the
            // estimate.
            #expect(
                abs(variance / (bound * bound / 3) - 1) < 5 * 0.9 / Float(values.count).squareRoot()
            )
        }
        let input = DecoderInput(packing: [[3, 4, 5]])
        #expect(
            decoder.hidden(input, adapter: adapter.weights(training: false)).toArray()
                == decoder.hidden(input).toArray())
        let again = try LoRAAdapter(lora, for: decoder.config, seed: 7)
        let other = try LoRAAdapter(lora, for: decoder.config, seed: 8)
        #expect(again.parameters.values.toArray() == adapter.parameters.values.toArray())
        #expect(other.parameters.values.toArray() != adapter.parameters.values.toArray())
    }

    @Test("weights are views of the parameters, and collect gradients only for training")
    func views() throws {
        let model = try config("llama3-tiny")
        let adapter = try LoRAAdapter(
            LoRAConfig(rank: 2, alpha: 2, targetModules: .names(["v_proj"])), for: model, seed: 1)
        let weights = adapter.weights(training: false)
        adapter.parameters.values.fill(3)
        let lowRank = try #require(weights[0, .value])
        #expect(lowRank.A.toArray().allSatisfy { $0 == 3 })
        #expect(lowRank.A.node == nil && lowRank.B.node == nil)
        #expect(weights[0, .query] == nil)
        let training = try #require(adapter.weights(training: true)[0, .value])
        #expect(training.A.node != nil && training.B.node != nil)
    }

    @Test("publishing raises the version")
    func version() throws {
        let adapter = try LoRAAdapter(
            LoRAConfig(rank: 2, alpha: 2), for: config("qwen2-tiny"), seed: 1)
        #expect(adapter.version == 0)
        #expect(adapter.publish() == 1)
        adapter.publish()
        #expect(adapter.version == 2)
    }
}
