package import Tensors

/// How the tokens of one forward pass see each other.
package enum AttentionPlan {
    /// Whole sequences laid end to end, each from its first token: training and scoring.
    case packed(starts: TokenIndices)
    /// New tokens against a cache: rollouts.
    case paged(PagedPlan, KVCache)
}

/// The paged caches of all layers.
package struct KVCache {
    package let layers: [PagedCache]
    /// Tokens a block.
    package let blockSize: Int
    /// Blocks a layer.
    package let blockCount: Int

    /// Room for `blocks` blocks of `blockSize` tokens in every layer.
    package init(_ config: DecoderConfig, blocks: Int, blockSize: Int) {
        self.blockSize = blockSize
        blockCount = blocks
        layers = (0..<config.layerCount).map { _ in
            PagedCache(blocks: blocks, blockSize: blockSize, heads: config.heads)
        }
    }

    /// Bytes that one block takes over all layers.
    package static func bytesPerBlock(_ config: DecoderConfig, blockSize: Int) -> Int {
        config.layerCount * 2 * config.keyValueWidth * blockSize * DataType.float32.size
    }
}

/// The tokens of one forward pass.
package struct DecoderInput {
    /// `[T]`
    package let tokens: TokenIndices
    /// `[T]`; each token's place in its sequence.
    package let positions: TokenIndices
    package let attention: AttentionPlan

    package init(tokens: [Int32], positions: [Int32], attention: AttentionPlan) {
        precondition(tokens.count == positions.count)
        self.tokens = TokenIndices(tokens)
        self.positions = TokenIndices(positions)
        self.attention = attention
    }

    /// Whole sequences laid end to end, without padding.
    package init(packing sequences: [[Int32]]) {
        var starts: [Int32] = [0]
        var positions: [Int32] = []
        for sequence in sequences {
            positions.append(contentsOf: 0..<Int32(sequence.count))
            starts.append(Int32(positions.count))
        }
        self.init(
            tokens: Array(sequences.joined()), positions: positions,
            attention: .packed(starts: TokenIndices(starts)))
    }
}
