package import Tensors

/// How the tokens of one forward pass see each other.
package enum AttentionPlan {
    /// Whole sequences laid end to end, each from its first token: training and scoring.
    case packed(PackedSequences)
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

    /// Room for `blocks` blocks of `blockSize` tokens in every layer of `decoder`, where its weights
    /// lie and of the type that it computes in.
    package init(_ decoder: Decoder, blocks: Int, blockSize: Int) {
        let config = decoder.config
        self.blockSize = blockSize
        blockCount = blocks
        layers = (0..<config.layerCount).map { _ in
            PagedCache(
                blocks: blocks, blockSize: blockSize, heads: config.heads,
                dataType: decoder.activationType, on: decoder.device)
        }
    }

    /// Bytes that one block takes over all layers.
    ///
    /// - Parameter type: what the model computes in.
    package static func bytesPerBlock(
        _ config: DecoderConfig, blockSize: Int, type: DataType = .float32
    ) -> Int {
        config.layerCount * 2 * config.keyValueWidth * blockSize * type.size
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
        self.init(
            tokens: TokenIndices(tokens), positions: TokenIndices(positions),
            attention: attention)
    }

    /// - Parameters:
    ///   - tokens: `[T]`
    ///   - positions: `[T]`
    package init(tokens: TokenIndices, positions: TokenIndices, attention: AttentionPlan) {
        precondition(tokens.count == positions.count)
        self.tokens = tokens
        self.positions = positions
        self.attention = attention
    }

    /// Whole sequences laid end to end, without padding.
    package init(packing sequences: [[Int32]]) {
        self.init(packing: sequences.map { SequenceFamily(prefix: $0, continuations: []) })
    }

    /// Families of sequences laid end to end: what each shares is there once.
    package init(packing families: [SequenceFamily]) {
        var tokens: [Int32] = []
        var positions: [Int32] = []
        var packed = PackedSequences()
        for family in families {
            let length = family.prefix.count
            tokens += family.prefix
            positions += 0..<Int32(length)
            for continuation in family.continuations {
                tokens += continuation
                positions += Int32(length)..<Int32(length + continuation.count)
            }
            packed.append(prefix: length, continuations: family.continuations.map(\.count))
        }
        self.init(tokens: tokens, positions: positions, attention: .packed(packed))
    }
}

/// Sequences that begin alike, as the answers to one prompt do.
package struct SequenceFamily {
    /// What all of them begin with, at least one token.
    package let prefix: [Int32]
    /// How each goes on; none for the prefix alone.
    package let continuations: [[Int32]]

    package init(prefix: [Int32], continuations: [[Int32]]) {
        self.prefix = prefix
        self.continuations = continuations
    }
}
