package import Tensors

/// A decoder-only transformer of the Llama family: Llama 2 and 3, Mistral, Qwen2 and Qwen3.
///
/// One value serves every role over the same weights: with an adapter it is the actor, without one
/// the reference, with a paged plan the rollout engine.
package struct Decoder {
    package let config: DecoderConfig
    package let weights: DecoderWeights
    /// What quantised weights take rows as; training and scoring have f32 always.
    package var activations = ActivationPrecision.float32
    /// Whether weights that the checkpoint holds as f16 were rounded to bf16 on their way to a
    /// device, which has no f16.
    package internal(set) var isRoundedFromFloat16 = false
    private let rotaryTable: RotaryTable

    /// Where the weights lie, and the model is computed.
    package var device: Device { weights.finalNorm.device }
    /// What activations are, but for the residual stream, which is f32: f32 on the host, on a device
    /// the type of the norms' weights.
    package var activationType: DataType {
        device.isHost ? .float32 : weights.finalNorm.dataType
    }

    /// A decoder over `weights`.
    package init(_ config: DecoderConfig, _ weights: DecoderWeights) {
        self.config = config
        self.weights = weights
        rotaryTable = RotaryTable(
            frequencies: config.rope.frequencies(dimension: config.heads.dimension))
    }

    /// The hidden states after the last norm, `[T, D]`, of the activations' type.
    ///
    /// - Parameters:
    ///   - input: the tokens and how they see each other.
    ///   - adapter: what to add to the base; none for the base itself.
    ///   - kept: which blocks keep their activations for the backward pass.
    ///   - tape: where to record for a backward pass.
    package func hidden(
        _ input: DecoderInput, adapter: AdapterWeights? = nil,
        keeping kept: KeptActivations = .all, _ tape: Tape? = nil
    ) -> Tensor {
        let first = firstKeptLayer(kept, adapter: adapter, tokens: input.tokens.count)
        return hidden(input, .one(adapter), firstKept: first, tape)
    }

    /// The same, `[T, D]`, for a batch whose rows have different adapters. Each row has the same
    /// bits as in a batch of its own adapter.
    ///
    /// - Parameter runs: do not overlap; the rows outside of all of them are the base's.
    package func hidden(_ input: DecoderInput, adapters runs: [AdapterRun]) -> Tensor {
        let isWhole = runs.count == 1 && runs[0].rows == 0..<input.tokens.count
        let adapters: BatchAdapters = isWhole ? .one(runs[0].weights) : .runs(runs)
        return hidden(input, adapters, firstKept: 0, nil)
    }

    private func hidden(
        _ input: DecoderInput, _ adapters: BatchAdapters, firstKept: Int, _ tape: Tape?
    ) -> Tensor {
        var h_TD = embedding(input.tokens, weights.embedding, tape)
        for index in weights.layers.indices {
            let block = { (h: Tensor, tape: Tape?) -> Tensor in
                self.block(h, layer: index, input, adapters, tape)
            }
            if let tape, index < firstKept {
                h_TD = tape.recomputed(h_TD, block)
            } else {
                h_TD = block(h_TD, tape)
            }
        }
        return rmsNorm(h_TD, weights.finalNorm, epsilon: config.rmsNormEpsilon, tape)
    }

    /// Makes what a pass over positions below `count` reads beside weights and input.
    ///
    /// - Returns: that; a graph of such a pass reads it as long as it lives.
    package func prepare(positions count: Int) -> [Tensor] {
        rotaryTable.prepare(positions: count, on: device)
    }

    /// The logits of the next token for each row of `hidden`, `[N, V]`, f32.
    package func logits(_ hidden_ND: Tensor) -> Tensor {
        linear(hidden_ND, weights.head, activations: activations, as: .float32, nil)
    }

    private func block(
        _ h_TD: Tensor, layer index: Int, _ input: DecoderInput, _ adapters: BatchAdapters,
        _ tape: Tape?
    ) -> Tensor {
        let layer = weights.layers[index]
        func project(_ x: Tensor, _ projection: Projection) -> Tensor {
            let (weight, bias) = layer[projection]
            return adapters.linear(
                x, weight, bias: bias, layer: index, projection, activations: activations, tape)
        }

        let x_TD = rmsNorm(h_TD, layer.attentionNorm, epsilon: config.rmsNormEpsilon, tape)
        let q_TH = position(project(x_TD, .query), layer.queryNorm, input, tape)
        let k_TK = position(project(x_TD, .key), layer.keyNorm, input, tape)
        let v_TK = project(x_TD, .value)
        let a_TH = attend(q_TH, k_TK, v_TK, layer: index, input, tape)
        let h2_TD = add(h_TD, project(a_TH, .output), tape)

        let y_TD = rmsNorm(h2_TD, layer.feedForwardNorm, epsilon: config.rmsNormEpsilon, tape)
        let f_TF = swiGLU(gate: project(y_TD, .gate), up: project(y_TD, .up), tape)
        return add(h2_TD, project(f_TF, .down), tape)
    }

    /// Normalises each head where the family does, and turns it by its position.
    private func position(
        _ x_TH: Tensor, _ norm: Tensor?, _ input: DecoderInput, _ tape: Tape?
    ) -> Tensor {
        let D = config.heads.dimension
        var x = x_TH
        if let norm {
            let heads_THD = x.reshaped([x.rows, x.columns / D, D])
            x = rmsNorm(heads_THD, norm, epsilon: config.rmsNormEpsilon, tape)
                .reshaped(x_TH.shape)
        }
        return rotary(
            x, positions: input.positions, table: rotaryTable, headDimension: D, tape)
    }

    private func attend(
        _ q_TH: Tensor, _ k_TK: Tensor, _ v_TK: Tensor, layer index: Int, _ input: DecoderInput,
        _ tape: Tape?
    ) -> Tensor {
        let window = config.windows[index]
        switch input.attention {
        case .packed(let packed):
            return attention(
                q_TH, k_TK, v_TK, packed: packed, heads: config.heads, window: window, tape)
        case .paged(let plan, let cache):
            precondition(tape == nil, "A rollout is not differentiated.")
            return pagedAttention(
                q_TH, k_TK, v_TK, plan: plan, cache: cache.layers[index], heads: config.heads,
                window: window)
        }
    }
}
