import Models
import OracleFixtures
import Tensors

/// A tiny model with an adapter of random numbers, on the host or moved to a device.
struct DeviceModel {
    let decoder: Decoder
    let parameters: ParameterBuffer
    let adapter: AdapterWeights

    /// Opens a model on the host and moves it.
    ///
    /// - Parameter type: of the weights and activations on the device.
    init(
        _ name: String, on device: Device, as type: DataType = .float32,
        quantization: Quantization? = nil
    ) throws {
        let base = try Decoder(
            directory: OracleFixtures.path("models/\(name)"),
            quantization: quantization.map { BaseQuantization($0, cacheFolder: nil) }, on: .cpu)
        let weights = base.weights.moved(base.config, to: device, as: type)
        self.init(Decoder(base.config, weights), on: device)
    }

    private init(_ decoder: Decoder, on device: Device) {
        self.decoder = decoder
        let (config, rank) = (decoder.config, 4)
        var names: [(name: String, shape: [Int])] = []
        for layer in 0..<config.layerCount {
            for projection in Projection.allCases {
                let (path, shape) = (projection.modulePath(layer: layer), projection.shape(config))
                names.append(("\(path).A", [rank, shape[1]]))
                names.append(("\(path).B", [shape[0], rank]))
            }
        }
        parameters = ParameterBuffer(names, on: device)
        var random = SplitMix64(seed: 11)
        parameters.values.copy(
            from: (0..<parameters.count).map { _ in Float.random(in: -0.1...0.1, using: &random) })
        var weights = AdapterWeights(layerCount: config.layerCount)
        for layer in 0..<config.layerCount {
            for projection in Projection.allCases {
                let place = 2 * (layer * Projection.allCases.count + projection.rawValue)
                weights[layer, projection] = LowRank(
                    A: parameters.parameter(place), B: parameters.parameter(place + 1), scale: 2)
            }
        }
        adapter = weights
    }

    /// Two prompts, the first of which goes on in three ways.
    static var input: DecoderInput {
        DecoderInput(packing: [
            SequenceFamily(
                prefix: [5, 17, 4, 99, 23], continuations: [[7, 8, 9, 10], [44], [61, 7, 12]]),
            SequenceFamily(prefix: [3, 9, 12, 301], continuations: [[8, 7]]),
        ])
    }
    /// Rows whose next token is scored, one of them for several tokens.
    static let rows: [Int32] = [4, 5, 6, 4, 9, 4, 10, 11, 16, 17]
    static let targets: [Int32] = [7, 8, 9, 44, 3, 61, 7, 12, 8, 7]

    /// Log-probabilities and entropies of the targets, and, with a tape, the gradients of a loss
    /// that reads all of them.
    func score(
        keeping kept: KeptActivations = .all, _ tape: Tape? = nil
    ) -> TokenLogProbabilities {
        let hidden = decoder.hidden(Self.input, adapter: adapter, keeping: kept, tape)
        let scores = tokenLogProbabilities(
            selectRows(hidden, TokenIndices(Self.rows), tape), decoder.weights.head,
            targets: TokenIndices(Self.targets), temperature: 0.9, tape)
        guard let tape else { return scores }
        let count = Self.rows.count
        scores.backward(
            logProbabilityDerivatives: (0..<count).map { 0.1 * Float($0 + 1) },
            entropyDerivatives: (0..<count).map { 0.05 * Float(count - $0) })
        tape.backward()
        return scores
    }

    /// The gradients of all parameters, freshly computed.
    func gradients(keeping kept: KeptActivations = .all) -> [Float] {
        parameters.clearGradients()
        _ = score(keeping: kept, Tape())
        return parameters.gradients.toArray()
    }
}
