package import Formats
package import Tensors

/// The shape of a decoder-only transformer, as `config.json` states it.
package struct DecoderConfig: Sendable, Equatable {
    /// The class that transformers would load, such as `Qwen2ForCausalLM`.
    package let architecture: String
    /// Whether the model has a head that gives logits; a body alone has none.
    package private(set) var hasLanguageHead: Bool
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
        try self.init(json, name: name, DecoderFamily.languageModels)
    }

    /// Reads the same of a checkpoint of which only the body counts: that of a language model or
    /// of a classifier of tokens or sequences (a critic, a reward model).
    package init(body json: JSON, name: String) throws(ModelError) {
        try self.init(
            json, name: name, DecoderFamily.languageModels + DecoderFamily.classifiers)
        hasLanguageHead = false
    }

    /// The class of transformers that puts a head for each token's class on the same body.
    var tokenClassifier: String {
        "\(DecoderFamily.family(of: architecture))ForTokenClassification"
    }

    /// The same model without its head.
    package var body: DecoderConfig {
        var copy = self
        copy.hasLanguageHead = false
        return copy
    }

    private init(_ json: JSON, name: String, _ supported: [String]) throws(ModelError) {
        let fields = ConfigFields(json, name: name)
        let family = try DecoderFamily(fields, supported)
        architecture = family.architecture
        hasLanguageHead = true
        hiddenSize = try fields.positive("hidden_size", upTo: 1 << 20)
        intermediateSize = try fields.positive("intermediate_size", upTo: 1 << 20)
        layerCount = try fields.positive("num_hidden_layers", upTo: 1 << 12)
        vocabularySize = try fields.positive("vocab_size", upTo: Int(Int32.max))
        heads = try Self.heads(fields, hiddenSize: hiddenSize)
        rmsNormEpsilon = Float(try fields.number("rms_norm_eps", default: 1e-6))
        maxPositions = try fields.positive("max_position_embeddings", upTo: Int(Int32.max))
        rope = try RopeConfig(fields)
        tiesEmbeddings = try fields.bool("tie_word_embeddings", default: false)
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
        let queryHeads = try fields.positive("num_attention_heads", upTo: 1 << 16)
        let keyValueHeads = try fields.positive(
            "num_key_value_heads", upTo: 1 << 16, default: queryHeads)
        guard queryHeads % keyValueHeads == 0 else {
            throw fields.error(
                "num_attention_heads is \(queryHeads), which is no multiple of "
                    + "num_key_value_heads \(keyValueHeads)")
        }
        let dimension = try fields.positive(
            "head_dim", upTo: 1 << 20, default: hiddenSize / queryHeads)
        guard dimension % 2 == 0, (2...256).contains(dimension) else {
            throw fields.error("head_dim is \(dimension); it must be even and from 2 to 256")
        }
        return HeadLayout(
            queryHeads: queryHeads, keyValueHeads: keyValueHeads, dimension: dimension)
    }

    /// The sliding window of each layer: from `layer_types` where it is given, else from the
    /// family's older keys, with the defaults of transformers.
    private static func windows(
        _ fields: ConfigFields, _ family: DecoderFamily, layerCount: Int
    ) throws(ModelError) -> [Int] {
        let isUsed = try fields.bool("use_sliding_window", default: family.slidesByDefault)
        let stated = try fields.whole("sliding_window", in: 0...Int(Int32.max))
        let window = isUsed ? stated ?? (fields.isAbsent("sliding_window") ? 4096 : 0) : 0
        guard let types = try fields.strings("layer_types") else {
            let first = try fields.whole("max_window_layers", in: 0...Int(Int32.max))
            let firstSliding = first ?? (family.slidesByDefault ? 0 : 28)
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
            case "sliding_attention" where window > 0: windows.append(window)
            case "sliding_attention":
                throw fields.error(
                    "layer_types holds 'sliding_attention', but use_sliding_window and "
                        + "sliding_window give no window")
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
    var slidesByDefault = false

    static let languageModels = [
        "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM",
    ]
    static let classifiers = ["TokenClassification", "SequenceClassification"].flatMap { task in
        languageModels.map { $0.replacing("CausalLM", with: task) }
    }

    init(_ fields: ConfigFields, _ supported: [String]) throws(ModelError) {
        let name = try fields.strings("architectures")?.first ?? "none"
        guard supported.contains(name) else {
            throw fields.error(
                "the architecture '\(name)' is not supported; supported are "
                    + supported.joined(separator: ", "))
        }
        switch Self.family(of: name) {
        case "Mistral": slidesByDefault = true
        case "Qwen2": alwaysHasQKVBias = true
        case "Qwen3": hasQKNorm = true
        default: break
        }
        architecture = name
    }

    /// What stands before "For": `Qwen2` of `Qwen2ForCausalLM`.
    static func family(of architecture: String) -> Substring {
        architecture.prefix(
            upTo: architecture.firstRange(of: "For")?.lowerBound ?? architecture.endIndex)
    }
}
