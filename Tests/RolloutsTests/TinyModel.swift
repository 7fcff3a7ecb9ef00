import Models
import OracleFixtures
import Rollouts
import Tensors

/// A tiny model, and what it gives by whole packed forward passes without any engine.
struct TinyModel {
    let decoder: Decoder
    /// Prompts of mixed lengths, some of whole blocks and some that share their beginning.
    let prompts: [[Int32]]

    init(_ name: String = "qwen2-tiny") throws {
        decoder = try Decoder(directory: OracleFixtures.path("models/\(name)"))
        var random = SplitMix64(seed: 7)
        let shared = Self.tokens(40, &random)
        prompts =
            [1, 2, 7, 16, 17, 33].map { Self.tokens($0, &random) }
            + [shared, shared, Array(shared[..<32]), shared[..<35] + Self.tokens(9, &random)]
    }

    private static func tokens(_ count: Int, _ random: inout SplitMix64) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 3..<500, using: &random) }
    }

    func engine(_ change: (inout EngineSettings) -> Void = { _ in }) throws -> RolloutEngine {
        var settings = EngineSettings()
        change(&settings)
        return try RolloutEngine(model: decoder, settings: settings)
    }

    /// One request for each prompt.
    func requests(_ sampling: SamplingSettings, adapter: String? = nil) -> [RolloutRequest] {
        prompts.enumerated().map { index, prompt in
            RolloutRequest(
                id: UInt64(100 + index), prompt: prompt, sampling: sampling, adapter: adapter)
        }
    }

    /// The most probable continuation.
    func greedy(_ prompt: [Int32], count: Int, adapter: AdapterWeights? = nil) -> [Int32] {
        var tokens = prompt
        for _ in 0..<count {
            let hidden = decoder.hidden(DecoderInput(packing: [tokens]), adapter: adapter)
            let last = TokenIndices([Int32(tokens.count - 1)])
            let logits = decoder.logits(selectRows(hidden, last, nil)).toArray()
            var best = 0
            for (token, logit) in logits.enumerated() where logit > logits[best] { best = token }
            tokens.append(Int32(best))
        }
        return Array(tokens[prompt.count...])
    }

    /// The log-probabilities of a response, from one packed forward pass.
    func logProbabilities(
        _ prompt: [Int32], _ response: [Int32], temperature: Float, adapter: AdapterWeights? = nil
    ) -> [Float] {
        let sequence = prompt + response
        let input = DecoderInput(packing: [Array(sequence.dropLast())])
        let scores = tokenLogProbabilities(
            decoder.hidden(input, adapter: adapter), decoder.weights.head,
            targets: TokenIndices(Array(sequence.dropFirst())), temperature: temperature, nil)
        return Array(scores.logProbabilities[(prompt.count - 1)...])
    }

    /// A random adapter, large enough to change what the model says.
    func adapter(
        seed: UInt64, rank: Int = 4, on projections: [Projection] = Projection.allCases
    ) -> AdapterWeights {
        var random = SplitMix64(seed: seed)
        func matrix(_ rows: Int, _ columns: Int) -> Tensor {
            let values = (0..<rows * columns).map { _ in
                Float.random(in: -0.1...0.1, using: &random)
            }
            return Tensor(values, shape: [rows, columns])
        }
        var weights = AdapterWeights(layerCount: decoder.config.layerCount)
        for layer in 0..<decoder.config.layerCount {
            for projection in projections {
                let shape = projection.shape(decoder.config)
                weights[layer, projection] = LowRank(
                    A: matrix(rank, shape[1]), B: matrix(shape[0], rank), scale: 2)
            }
        }
        return weights
    }
}
