package import Tensors

/// All weights of a decoder, under their checkpoint names.
package struct DecoderWeights {
    /// One decoder block.
    package struct Layer {
        /// `[D]`
        package let attentionNorm: Tensor
        /// `[D]`
        package let feedForwardNorm: Tensor
        /// `[headDimension]`, where the family has them.
        package let queryNorm: Tensor?
        package let keyNorm: Tensor?
        let projections: [(weight: Weight, bias: Tensor?)]

        package subscript(projection: Projection) -> (weight: Weight, bias: Tensor?) {
            projections[projection.rawValue]
        }
    }

    /// `[V, D]`
    package let embedding: Weight
    package let layers: [Layer]
    /// `[D]`
    package let finalNorm: Tensor
    /// `[V, D]`, the embedding table itself where the config ties them; `nil` in a body alone.
    private let languageHead: Weight?
    /// Every weight once under its checkpoint name, in the order of `names`.
    package let named: [(name: String, weight: Weight)]

    /// `[V, D]`, what logits are computed with; a body alone must not be asked for it.
    package var head: Weight {
        guard let languageHead else { preconditionFailure("A body has no head for logits.") }
        return languageHead
    }

    /// How the projections are quantised; nil where they are dense.
    package var quantization: Quantization? {
        guard case .quantized(let matrix)? = layers.first?[.query].weight else { return nil }
        return matrix.kind
    }

    /// What activations are on a device: f32 where every weight of the checkpoint is, else bf16.
    package var deviceType: DataType {
        let isFloat32 = named.allSatisfy {
            if case .dense(let tensor) = $0.weight { tensor.dataType == .float32 } else { false }
        }
        return isFloat32 ? .float32 : .bfloat16
    }

    /// Whether any dense weight is f16.
    var holdsFloat16: Bool {
        named.contains {
            if case .dense(let tensor) = $0.weight { tensor.dataType == .float16 } else { false }
        }
    }

    /// The same weights on `device`, dense ones stored as `type`, which is that of the activations
    /// there; one weight at a time is held twice.
    package func moved(_ config: DecoderConfig, to device: Device, as type: DataType)
        -> DecoderWeights
    {
        var rest = named[...]
        return MemoryPurpose.$current.withValue(.weights) {
            DecoderWeights(config) { name, _ in
                guard let next = rest.popFirst(), next.name == name else {
                    preconditionFailure("\(name) is missing.")
                }
                return next.weight.moved(to: device, as: type)
            }
        }
    }

    /// Asks `weight` for each weight by its checkpoint name and the shape that the config implies.
    ///
    /// This is the one table of names: loading, random initialisation and full training differ
    /// only in the function they pass. Only matrices may be quantised: norms and biases are dense.
    package init<Failure: Error>(
        _ config: DecoderConfig, weight: (_ name: String, _ shape: [Int]) throws(Failure) -> Weight
    ) throws(Failure) {
        var named: [(name: String, weight: Weight)] = []
        func next(_ name: String, _ shape: [Int]) throws(Failure) -> Weight {
            let weight = try weight(name, shape)
            named.append((name, weight))
            return weight
        }
        let D = config.hiddenSize
        embedding = try next("model.embed_tokens.weight", [config.vocabularySize, D])
        var layers: [Layer] = []
        for index in 0..<config.layerCount {
            layers.append(try Self.layer(index, config, next))
        }
        self.layers = layers
        finalNorm = try next("model.norm.weight", [D]).tensor
        if !config.hasLanguageHead {
            languageHead = nil
        } else if config.tiesEmbeddings {
            languageHead = embedding
        } else {
            languageHead = try next("lm_head.weight", [config.vocabularySize, D])
        }
        self.named = named
    }

    /// The same for weights that are all dense.
    package init<Failure: Error>(
        _ config: DecoderConfig, tensor: (_ name: String, _ shape: [Int]) throws(Failure) -> Tensor
    ) throws(Failure) {
        try self.init(config) { (name, shape) throws(Failure) in
            Weight.dense(try tensor(name, shape))
        }
    }

    private static func layer<Failure: Error>(
        _ index: Int, _ config: DecoderConfig,
        _ weight: (_ name: String, _ shape: [Int]) throws(Failure) -> Weight
    ) throws(Failure) -> Layer {
        func tensor(_ name: String, _ shape: [Int]) throws(Failure) -> Tensor {
            try weight(name, shape).tensor
        }
        let prefix = "model.layers.\(index)"
        var projections: [(weight: Weight, bias: Tensor?)] = []
        for projection in Projection.allCases {
            let shape = projection.shape(config)
            let path = projection.modulePath(layer: index)
            let matrix = try weight("\(path).weight", shape)
            let hasBias = projection.hasBias(config)
            projections.append((matrix, hasBias ? try tensor("\(path).bias", [shape[0]]) : nil))
        }
        let headShape = [config.heads.dimension]
        return Layer(
            attentionNorm: try tensor("\(prefix).input_layernorm.weight", [config.hiddenSize]),
            feedForwardNorm: try tensor(
                "\(prefix).post_attention_layernorm.weight", [config.hiddenSize]),
            queryNorm: config.hasQKNorm
                ? try tensor("\(prefix).self_attn.q_norm.weight", headShape) : nil,
            keyNorm: config.hasQKNorm
                ? try tensor("\(prefix).self_attn.k_norm.weight", headShape) : nil,
            projections: projections)
    }

    /// Name and shape of every weight that a checkpoint of this config holds.
    package static func names(_ config: DecoderConfig) -> [(name: String, shape: [Int])] {
        var names: [(name: String, shape: [Int])] = []
        let nothing = Tensor(uninitialized: [0], on: .cpu)
        _ = DecoderWeights(config) { name, shape in
            names.append((name, shape))
            return Weight.dense(nothing)
        }
        return names
    }
}
