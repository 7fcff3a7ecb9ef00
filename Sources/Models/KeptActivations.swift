import Tensors

/// Which blocks keep their activations for the backward pass; the others are computed again in it.
package enum KeptActivations: Sendable, Equatable {
    /// Every block does.
    case all
    /// As many blocks as so many bytes allow, from the last one back: those are needed, and freed,
    /// first.
    case within(bytes: Int)
}

extension Decoder {
    /// Bytes that one block keeps of each token for the backward pass, besides its input.
    ///
    /// What norms and SwiGLU give is not among them: it is computed again from what is.
    package func activationBytesPerToken(_ adapter: AdapterWeights?, layer: Int) -> Int {
        let (q, k) = (config.queryWidth, config.keyValueWidth)
        let (H, K) = (config.heads.queryHeads, config.heads.keyValueHeads)
        let hasHeadNorms = weights.layers[layer].queryNorm != nil
        let ranks = Projection.allCases.reduce(0) {
            $0 + (adapter?[layer, $1]?.A.shape[0] ?? 0)
        }
        // Queries and keys before and after their norms, values, what attention gives, gate and up.
        let activations =
            (hasHeadNorms ? q + k : 0) + q + 2 * k + q + 2 * config.intermediateSize + ranks
        // The residual stream, and one number a row of each norm and of the softmax.
        let float32 = config.hiddenSize + 2 + (hasHeadNorms ? H + K : 0) + H
        return activations * activationType.size + float32 * DataType.float32.size
    }

    /// Tokens to compute at once for speed: as many as all blocks can keep the activations of, but
    /// not so few that products get slow; any number where not even one block could.
    package func tokensAtOnce(_ kept: KeptActivations, adapter: AdapterWeights?) -> Int {
        guard case .within(let bytes) = kept else { return .max }
        let token = weights.layers.indices.reduce(0) {
            $0 + activationBytesPerToken(adapter, layer: $1)
        }
        let fewest = 256
        let block = token / max(1, weights.layers.count)
        return bytes < fewest * block ? .max : max(bytes / max(1, token), fewest)
    }

    /// The index of the first block that keeps the activations of so many tokens; the number of
    /// blocks where none does.
    package func firstKeptLayer(_ kept: KeptActivations, adapter: AdapterWeights?, tokens: Int)
        -> Int
    {
        guard case .within(var bytes) = kept else { return 0 }
        var first = weights.layers.count
        while first > 0 {
            bytes -= tokens * activationBytesPerToken(adapter, layer: first - 1)
            guard bytes >= 0 else { break }
            first -= 1
        }
        return first
    }
}
