import Formats
package import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Fresh random weights as transformers initialises them: matrices from N(0, initializer_range²),
/// biases 0, norms 1.
package struct RandomWeights {
    private let random: CounterRandom
    private let deviation: Float

    package init(seed: UInt64, deviation: Float) {
        random = CounterRandom(seed: seed)
        self.deviation = deviation
    }

    /// The tensor called `name`, the `index`th of its checkpoint; it depends on the seed, `index`
    /// and its shape alone.
    package func tensor(_ name: String, index: Int, shape: [Int], type: DataType) -> Tensor {
        let result = Tensor(uninitialized: shape)
        if name.hasSuffix("norm.weight") {
            result.fill(1)
        } else if name.hasSuffix(".bias") {
            result.fill(0)
        } else {
            fillNormal(result, stream: UInt64(index))
        }
        return type == .float32 ? result : result.converted(to: type)
    }

    /// Pairs of normal numbers from pairs of uniform ones (Box and Muller, 1958).
    private func fillNormal(_ tensor: Tensor, stream: UInt64) {
        tensor.withMutableFloats { values in
            var index = 0
            while index < values.count {
                let words = random.words(stream: stream, position: UInt64(index / 4))
                for pair in 0..<2 {
                    // 1 - u lies in (0, 1], so that the logarithm is finite.
                    let u = 1 - CounterRandom.unitInterval(words[2 * pair])
                    let angle = 2 * Float.pi * CounterRandom.unitInterval(words[2 * pair + 1])
                    let radius = deviation * (-2 * logf(u)).squareRoot()
                    let place = index + 2 * pair
                    if place < values.count { values[place] = radius * cosf(angle) }
                    if place + 1 < values.count { values[place + 1] = radius * sinf(angle) }
                }
                index += 4
            }
        }
    }

    /// Writes a fresh checkpoint for the config in the file `configPath`.
    ///
    /// - Parameters:
    ///   - tokenizerDirectory: where tokenizer files are copied from, if anywhere.
    ///   - type: how the weights are stored.
    package static func writeCheckpoint(
        configPath: String, tokenizerDirectory: String?, seed: UInt64, type: DataType,
        to directory: String
    ) throws {
        let json = try JSON(contentsOfFile: configPath)
        let config = try DecoderConfig(json, name: configPath)
        let weights = RandomWeights(seed: seed, deviation: config.initializerRange)
        let sources = DecoderWeights.names(config).enumerated().map { index, weight in
            SafetensorsSource(
                name: weight.name, dtype: type.safetensorsType, shape: weight.shape
            ) { (piece) throws(FormatError) in
                // Made when it is written, so that one tensor at a time is in memory.
                let tensor = weights.tensor(
                    weight.name, index: index, shape: weight.shape, type: type)
                try tensor.withBytes(piece)
            }
        }
        try CheckpointWriter.write(
            sources, config: json, type: type, companionDirectory: tokenizerDirectory,
            to: directory)
    }
}
