import Adapters
import Formats
import Models
import Tensors

/// A tiny model of random weights, made from its family's config.
struct TestModel {
    let name: String
    let config: DecoderConfig
    let quantization: Quantization?

    /// The families: biases and a tied head; norms of queries and keys; windows; heads that the
    /// tensor cores take, and no even width.
    static func all() throws -> [TestModel] {
        [try biases(), try headNorms(), try windows(), try wideHeads()]
    }

    static func biases(_ quantization: Quantization? = nil) throws -> TestModel {
        try TestModel(
            "biases, tied head", quantization, "Qwen2ForCausalLM",
            ["hidden_size": 64, "num_attention_heads": 4, "tie_word_embeddings": true])
    }

    static func headNorms(_ quantization: Quantization? = nil) throws -> TestModel {
        try TestModel(
            "q/k norms", quantization, "Qwen3ForCausalLM",
            ["hidden_size": 96, "num_attention_heads": 6, "head_dim": 16])
    }

    static func windows() throws -> TestModel {
        try TestModel(
            "windows", nil, "MistralForCausalLM",
            [
                "hidden_size": 72, "num_attention_heads": 4, "head_dim": 18,
                "sliding_window": 5,
            ])
    }

    static func wideHeads() throws -> TestModel {
        try TestModel(
            "heads of 64", nil, "LlamaForCausalLM",
            [
                "hidden_size": 75, "num_attention_heads": 4, "head_dim": 64,
                "attention_bias": true, "mlp_bias": true,
            ])
    }

    private init(
        _ name: String, _ quantization: Quantization?, _ architecture: JSON,
        _ fields: [String: JSON]
    ) throws {
        var object: [String: JSON] = [
            "architectures": [architecture], "intermediate_size": 160, "num_hidden_layers": 2,
            "num_key_value_heads": 2, "vocab_size": 101, "max_position_embeddings": 512,
            "rope_theta": 10_000,
        ]
        object.merge(fields) { $1 }
        self.name = quantization.map { "\(name), \($0.rawValue)" } ?? name
        self.quantization = quantization
        let text = object.map { "\"\($0.key)\": \($0.value.serialized())" }.sorted()
        let json = try JSON(
            parsing: Array("{\(text.joined(separator: ", "))}".utf8), name: "the self-test")
        config = try DecoderConfig(json, name: "the self-test")
    }

    /// The model on `device`, its weights stored as `type`; the same numbers everywhere.
    func decoder(on device: Device, as type: DataType) throws -> Decoder {
        var side = Side(.cpu, type: .float32, precision: type, seed: 5)
        let weights = try DecoderWeights(config) { name, shape in
            try weight(name, shape, type, &side)
        }
        return Decoder(
            config, device.isHost ? weights : weights.moved(config, to: device, as: type))
    }

    private func weight(
        _ name: String, _ shape: [Int], _ type: DataType, _ side: inout Side
    ) throws -> Weight {
        if name.hasSuffix("norm.weight") {
            return .dense(side.frozen(shape, scale: 0.2, around: 1))
        }
        if name.hasSuffix(".bias") { return .dense(side.frozen(shape, scale: 0.3)) }
        // The logits get a deviation of about 2.
        let gain: Float = name.contains("embed") || name.contains("head") ? 2 : 1
        let matrix = side.frozen(shape, scale: gain * (3 / Float(shape[1])).squareRoot())
        guard let quantization else { return .dense(matrix) }
        guard let codes = QuantizedTensor(quantizing: matrix, as: quantization) else {
            throw SelfTestError("\(name) could not be quantised.")
        }
        return .quantized(codes)
    }

    /// An adapter of random numbers for all projections, which adds about as much as the base gives.
    func adapter(on device: Device, as type: DataType, seed: UInt64 = 1) throws -> LoRAAdapter {
        var side = Side(.cpu, type: .float32, precision: type, seed: seed)
        let adapter = try Device.$current.withValue(device) {
            try LoRAAdapter(LoRAConfig(rank: 4, alpha: 4), for: config, seed: seed)
        }
        let count = adapter.parameters.count
        adapter.parameters.values.copy(from: side.numbers([count], scale: 0.25))
        return adapter
    }
}
