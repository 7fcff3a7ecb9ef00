import Formats
import Models
import OracleFixtures
import Tensors
import Testing

/// The config of qwen2-tiny with some keys changed; `nil` takes a key away.
private func config(_ changes: [String: JSON?]) throws -> DecoderConfig {
    let path = OracleFixtures.path("models/qwen2-tiny/config.json")
    var fields = try #require(JSON(contentsOfFile: path).object)
    for (key, value) in changes { fields[key] = value }
    return try DecoderConfig(.object(fields), name: "config.json")
}

@Suite("DecoderConfig")
struct DecoderConfigTests {
    @Test("reads the three tiny models")
    func tinyModels() throws {
        let qwen2 = try config([:])
        #expect(qwen2.hasQKVBias && qwen2.tiesEmbeddings && !qwen2.hasQKNorm)
        let llama = try DecoderConfig(
            JSON(contentsOfFile: OracleFixtures.path("models/llama3-tiny/config.json")),
            name: "config.json")
        #expect(!llama.hasQKVBias && !llama.tiesEmbeddings)
        #expect(
            llama.rope.scaling
                == .llama3(factor: 8, low: 1, high: 4, originalPositions: 64))
        let qwen3 = try DecoderConfig(
            JSON(contentsOfFile: OracleFixtures.path("models/qwen3-tiny/config.json")),
            name: "config.json")
        #expect(qwen3.hasQKNorm && qwen3.heads.dimension == 32)
    }

    @Test("reads the older spelling of rope settings")
    func olderRope() throws {
        let plain = try config(["rope_parameters": nil, "rope_theta": 5000])
        #expect(plain.rope.theta == 5000 && plain.rope.scaling == .none)
        let linear = try config([
            "rope_parameters": nil, "rope_scaling": ["type": "linear", "factor": 4],
        ])
        #expect(linear.rope.scaling == .linear(factor: 4))
    }

    @Test("takes rope_theta from beside rope_parameters that do not hold it")
    func thetaBesideParameters() throws {
        let mixed = try config([
            "rope_parameters": ["rope_type": "linear", "factor": 4], "rope_theta": 5000,
        ])
        #expect(mixed.rope.theta == 5000 && mixed.rope.scaling == .linear(factor: 4))
    }

    @Test("gives sliding windows by layer")
    func windows() throws {
        let byType = try config([
            "sliding_window": 16, "use_sliding_window": true,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        ])
        #expect(byType.windows == [0, 16, 0])
        let byDepth = try config([
            "sliding_window": 16, "use_sliding_window": true, "layer_types": nil,
            "max_window_layers": 2,
        ])
        #expect(byDepth.windows == [0, 0, 16])
        let mistral = try config([
            "architectures": ["MistralForCausalLM"], "sliding_window": 8, "layer_types": nil,
            "use_sliding_window": nil, "max_window_layers": nil,
        ])
        #expect(mistral.windows == [8, 8, 8] && !mistral.hasQKVBias)
        let everyLayer = try config([
            "sliding_window": 16, "use_sliding_window": true, "layer_types": nil,
            "max_window_layers": 0,
        ])
        #expect(everyLayer.windows == [16, 16, 16])
    }

    @Test("gives sliding windows that are not stated as transformers does")
    func defaultWindows() throws {
        func mistral(slidingWindow: JSON?) throws -> [Int] {
            try config([
                "architectures": ["MistralForCausalLM"], "sliding_window": slidingWindow,
                "layer_types": nil, "use_sliding_window": nil, "max_window_layers": nil,
            ]).windows
        }
        #expect(try mistral(slidingWindow: nil) == [4096, 4096, 4096])
        #expect(try mistral(slidingWindow: .null) == [0, 0, 0])
        let qwen = try config([
            "sliding_window": 16, "use_sliding_window": true, "layer_types": nil,
            "max_window_layers": nil, "num_hidden_layers": 30,
        ])
        #expect(qwen.windows == Array(repeating: 0, count: 28) + [16, 16])
    }

    @Test(
        "refuses what it cannot compute, by name",
        arguments: [
            ("architectures", ["GemmaForCausalLM"], "GemmaForCausalLM"),
            ("hidden_act", "gelu", "gelu"),
            ("rope_parameters", ["rope_type": "yarn", "rope_theta": 10000], "yarn"),
            ("quantization_config", ["quant_method": "gptq"], "quant_method is 'gptq'"),
            ("hidden_size", "64", "hidden_size"),
            ("num_hidden_layers", 0, "num_hidden_layers"),
            ("num_key_value_heads", 3, "num_key_value_heads"),
            ("vocab_size", nil, "vocab_size"),
            ("layer_types", ["full_attention"], "layer_types"),
            ("partial_rotary_factor", 0.5, "partial_rotary_factor"),
            ("rope_parameters", ["partial_rotary_factor": 0.5], "partial_rotary_factor"),
            ("rope_scaling", ["type": "yarn", "factor": 4], "rope_scaling"),
            ("hidden_size", .integer(1 << 40), "hidden_size"),
            ("num_hidden_layers", .integer(1 << 40), "num_hidden_layers"),
            ("num_attention_heads", 128, "head_dim is 0"),
            ("vocab_size", .integer(1 << 40), "vocab_size"),
            ("max_position_embeddings", .integer(1 << 40), "max_position_embeddings"),
            (
                "layer_types", ["full_attention", "sliding_attention", "full_attention"],
                "sliding_window"
            ),
        ] as [(String, JSON?, String)])
    func refusals(key: String, value: JSON?, named: String) {
        #expect {
            _ = try config([key: value])
        } throws: { error in
            "\(error)".hasPrefix("config.json: ") && "\(error)".contains(named)
        }
    }

    @Test("scales llama3 frequencies only below the ramp")
    func llama3Frequencies() throws {
        let json = try JSON(
            contentsOfFile: OracleFixtures.path("models/llama3-tiny/config.json"))
        let rope = try DecoderConfig(json, name: "config.json").rope
        let frequencies = rope.frequencies(dimension: 16)
        #expect(frequencies[0] == 1)
        let last = 1 / Float(500_000.0).squareRoot() / Float(500_000.0).squareRoot()
        #expect(frequencies[7] > last / 8 / 2 && frequencies[7] < 1e-4)
    }
}
