package import Models
package import Tensors

/// What is trained, and the model that it started from: views of one set of weights.
package struct Policy {
    /// The model being trained: the frozen base itself under LoRA, or its f32 copy.
    package let decoder: Decoder
    /// The trainable low-rank parts; `nil` when the whole model is trained.
    package let adapter: AdapterWeights?
    /// The model as it was loaded.
    package let base: Decoder
    /// Everything that is trained, flat.
    package let parameters: ParameterBuffer

    package init(
        decoder: Decoder, adapter: AdapterWeights?, base: Decoder, parameters: ParameterBuffer
    ) {
        self.decoder = decoder
        self.adapter = adapter
        self.base = base
        self.parameters = parameters
    }

    /// LoRA on `base`: nothing is copied.
    package static func lowRank(
        base: Decoder, adapter: AdapterWeights, parameters: ParameterBuffer
    ) -> Policy {
        Policy(decoder: base, adapter: adapter, base: base, parameters: parameters)
    }

    /// The whole of `base`: trains an f32 copy of every weight.
    package static func full(base: Decoder) -> Policy {
        let names = DecoderWeights.names(base.config)
        let parameters = ParameterBuffer(names, on: base.device)
        var byName: [String: Tensor] = [:]
        for (index, name) in names.enumerated() {
            byName[name.name] = parameters.parameter(index)
        }
        let weights = DecoderWeights(base.config) { name, _ in
            guard let parameter = byName[name] else {
                preconditionFailure("\(name) has no parameter.")
            }
            return parameter
        }
        for (copy, original) in zip(weights.named, base.weights.named) {
            copy.weight.tensor.copy(from: original.weight.tensor.converted(to: .float32))
        }
        return Policy(
            decoder: Decoder(base.config, weights), adapter: nil, base: base,
            parameters: parameters)
    }

    /// The trained model's log-probability of each response token, and its entropy there.
    ///
    /// - Parameters:
    ///   - kept: which blocks keep their activations for the backward pass.
    package func score(
        _ packed: PackedSamples, temperature: Float, keeping kept: KeptActivations, _ tape: Tape?
    ) -> TokenLogProbabilities {
        scoreResponses(
            packed, decoder, adapter, temperature: temperature, keeping: kept, tape)
    }
}

/// A model's log-probability of each response token of a pack, `[T]`, and its entropy there.
///
/// - Parameters:
///   - adapter: what to add to the decoder; none for the decoder itself.
///   - kept: which blocks keep their activations for the backward pass.
func scoreResponses(
    _ packed: PackedSamples, _ decoder: Decoder, _ adapter: AdapterWeights?, temperature: Float,
    keeping kept: KeptActivations = .all, _ tape: Tape? = nil
) -> TokenLogProbabilities {
    let hidden_TD = decoder.hidden(packed.input, adapter: adapter, keeping: kept, tape)
    return tokenLogProbabilities(
        selectRows(hidden_TD, packed.rows, tape), decoder.weights.head,
        targets: packed.targets, temperature: temperature, tape)
}
