package import Formats
package import Tensors

/// The shape of a decoder-only transformer, as `config.json` states it.
package struct DecoderConfig: Sendable, Equatable {
    /// The class that transformers would load, such as `Qwen2ForCausalLM`.
    package let architecture: String
    package let hiddenSize: Int
    package let intermediateSize: Int
    package let layerCount: Int
    package let heads: HeadLayout
    package let vocabularySize: Int
    package let rmsNormEpsilon: Float
    package let rope: RopeConfig
    /// The most tokens that a sequence may have.
    package let maxPositions: Int
    /// Whether the head is the embedding table.
    package let tiesEmbeddings: Bool
    /// Whether q, k and v have a bias.
    package let hasQKVBias: Bool
    /// Whether the attention's output projection has a bias.
    package let hasOutputBias: Bool
    /// Whether the feed-forward projections have a bias.
    package let hasFeedForwardBias: Bool
    /// Whether each query and key head is normalised (Qwen3).
    package let hasQKNorm: Bool
    /// For each layer how many tokens back a token sees, itself included; 0 means all.
    package let windows: [Int]
    /// Standard deviation of a fresh weight.
    package let initializerRange: Float
    /// Ids that end a sequence, as far as `config.json` names them.
    package let endOfSequenceIDs: [Int32]

    /// The widest row that a layer's projections take or give.
    package var queryWidth: Int { heads.queryHeads * heads.dimension }
    package var keyValueWidth: Int { heads.keyValueHeads * heads.dimension }

    /// Reads the parsed content of the file called `name`.
    ///
    /// - Throws: `ModelError` for an architecture, activation, rope type or quantisation that is
    ///   not supported, and for missing, impossible or contradicting values.
    package init(_ json: JSON, name: String) throws(ModelError) {
        let fields = ConfigFields(json, name: name)
        let family = try DecoderFamily(fields)
        architecture = family.architecture
        hiddenSize = try fields.positive("hidden_size")
        intermediateSize = try fields.positive("intermediate_size")
        layerCount = try fields.positive("num_hidden_layers")
        vocabularySize = try fields.positive("vocab_size")
        heads = try Self.heads(fields, hiddenSize: hiddenSize)
        rmsNormEpsilon = Float(try fields.number("rms_norm_eps", default: 1e-6))
        maxPositions = try fields.positive("max_position_embeddings")
        rope = try RopeConfig(fields)
        tiesEmbeddings = try fields.bool("tie_word_embeddings", default: family.tiesByDefault)
        let attentionBias = try fields.bool("attention_bias", default: false)
        hasQKVBias = family.alwaysHasQKVBias || attentionBias
        hasOutputBias = !family.alwaysHasQKVBias && attentionBias
        hasFeedForwardBias = try fields.bool("mlp_bias", default: false)
        hasQKNorm = family.hasQKNorm
        windows = try Self.windows(fields, family, layerCount: layerCount)
        initializerRange = Float(try fields.number("initializer_range", default: 0.02))
        endOfSequenceIDs = try fields.tokenIDs("eos_token_id")
        try fields.refuseUnsupported()
    }

    private static func heads(
        _ fields: ConfigFields, hiddenSize: Int
    ) throws(ModelError) -> HeadLayout {
        let queryHeads = try fields.positive("num_attention_heads")
        let keyValueHeads = try fields.positive("num_key_value_heads", default: queryHeads)
        guard queryHeads % keyValueHeads == 0 else {
            throw fields.error(
                "num_attention_heads is \(queryHeads), which is no multiple of "
                    + "num_key_value_heads \(keyValueHeads)")
        }
        let dimension = try fields.positive("head_dim", default: hiddenSize / queryHeads)
        guard dimension % 2 == 0, dimension <= 256 else {
            throw fields.error("head_dim is \(dimension); it must be even and at most 256")
        }
        return HeadLayout(
            queryHeads: queryHeads, keyValueHeads: keyValueHeads, dimension: dimension)
    }

    /// The sliding window of each layer: from `layer_types` where it is given, else from the
    /// family's older keys.
    private static func windows(
        _ fields: ConfigFields, _ family: DecoderFamily, layerCount: Int
    ) throws(ModelError) -> [Int] {
        let size = try fields.optionalPositive("sliding_window") ?? 0
        let isUsed = try fields.bool("use_sliding_window", default: family.slidesByDefault)
        let firstSliding = try fields.positive(
            "max_window_layers", default: family.slidesByDefault ? 0 : layerCount)
        let window = isUsed ? size : 0
        guard let types = try fields.strings("layer_types") else {
            return (0..<layerCount).map { $0 >= firstSliding ? window : 0 }
        }
        guard types.count == layerCount else {
            throw fields.error(
                "layer_types names \(types.count) layers, but num_hidden_layers is \(layerCount)")
        }
        var windows: [Int] = []
        for type in types {
            switch type {
            case "full_attention": windows.append(0)
            case "sliding_attention": windows.append(size)
            default: throw fields.error("layer_types holds '\(type)', which is not supported")
            }
        }
        return windows
    }
}

/// What tells the supported architectures apart.
private struct DecoderFamily {
    let architecture: String
    var alwaysHasQKVBias = false
    var hasQKNorm = false
    var tiesByDefault = false
    var slidesByDefault = false

    private static let supported = [
        "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM",
    ]

    init(_ fields: ConfigFields) throws(ModelError) {
        let name = try fields.strings("architectures")?.first ?? "none"
        switch name {
        case "LlamaForCausalLM": break
        case "MistralForCausalLM": slidesByDefault = true
        case "Qwen2ForCausalLM": alwaysHasQKVBias = true
        case "Qwen3ForCausalLM": hasQKNorm = true
        default:
            throw fields.error(
                "the architecture '\(name)' is not supported; supported are "
                    + Self.supported.joined(separator: ", "))
        }
        architecture = name
    }
}
