/// A linear layer of a decoder block, in the order of the forward pass.
package enum Projection: Int, Sendable, CaseIterable {
    case query
    case key
    case value
    case output
    case gate
    case up
    case down

    /// The module's name within its layer, as checkpoints and PEFT write it.
    package var moduleName: String {
        switch self {
        case .query: "self_attn.q_proj"
        case .key: "self_attn.k_proj"
        case .value: "self_attn.v_proj"
        case .output: "self_attn.o_proj"
        case .gate: "mlp.gate_proj"
        case .up: "mlp.up_proj"
        case .down: "mlp.down_proj"
        }
    }

    /// The module's full name, such as `model.layers.3.self_attn.q_proj`.
    package func modulePath(layer: Int) -> String {
        "model.layers.\(layer).\(moduleName)"
    }

    /// `[outputs, inputs]` of the weight.
    package func shape(_ config: DecoderConfig) -> [Int] {
        switch self {
        case .query: [config.queryWidth, config.hiddenSize]
        case .key, .value: [config.keyValueWidth, config.hiddenSize]
        case .output: [config.hiddenSize, config.queryWidth]
        case .gate, .up: [config.intermediateSize, config.hiddenSize]
        case .down: [config.hiddenSize, config.intermediateSize]
        }
    }

    /// Whether the layer adds a bias.
    package func hasBias(_ config: DecoderConfig) -> Bool {
        switch self {
        case .query, .key, .value: config.hasQKVBias
        case .output: config.hasOutputBias
        case .gate, .up, .down: config.hasFeedForwardBias
        }
    }
}
