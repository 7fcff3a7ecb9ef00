import Adapters
import Formats
import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@testable import Training

/// The log-probabilities that a rollout gives against those that training gives for the same
/// tokens: the policy that sampled must be the policy that is trained.
@Suite("Rollout against training")
struct RolloutDifferenceTests {
    /// The tiny model with its weights stored as `type`.
    private func decoder(_ model: String, _ type: DataType, in folder: String) throws -> Decoder {
        let source = OracleFixtures.path("models/\(model)")
        guard type != .float32 else { return try Decoder(directory: source) }
        let original = try Decoder(directory: source)
        let weights = original.weights.named.map {
            SafetensorsSource(name: $0.name, $0.weight.tensor.converted(to: type))
        }
        let copy = "\(folder)/\(type)"
        try CheckpointWriter.write(
            weights, config: JSON(contentsOfFile: "\(source)/config.json"), type: type,
            companionDirectory: source, to: copy)
        let decoder = try Decoder(directory: copy)
        #expect(decoder.weights.named.allSatisfy { $0.weight.tensor.dataType == type })
        return decoder
    }

    /// The largest difference over 20 responses of mixed lengths.
    private func difference(
        _ decoder: Decoder, _ adapter: LoRAAdapter?, temperature: Float
    ) throws -> Float {
        let random = CounterRandom(seed: 11)
        let requests = (0..<20).map { index in
            // Four siblings share each prompt; the lengths cross the blocks of the cache.
            let prompt = (0..<(index / 4) * 9 + 2).map {
                Int32(3 + 490 * random.uniform(stream: UInt64(index / 4), position: UInt64($0)))
            }
            return RolloutRequest(
                id: UInt64(index), prompt: prompt,
                sampling: Rollouts.SamplingSettings(
                    temperature: temperature, maxTokens: 8 + 2 * index, stopIDs: [2], seed: 5))
        }
        let engine = try RolloutEngine(model: decoder, settings: EngineSettings())
        let served = adapter.map {
            EngineAdapter(name: "policy", version: 0, weights: $0.weights(training: false))
        }
        let completions = try engine.generate(requests, adapter: served)
        let samples = zip(requests, completions).map {
            PolicySample(prompt: $0.prompt, response: $1.tokens)
        }
        let weights = adapter?.weights(training: true)
        let policy = Policy(
            decoder: decoder, adapter: weights, base: decoder,
            parameters: adapter?.parameters ?? ParameterBuffer([]))
        let trained = try logProbabilities(samples, .tokens(300)) {
            policy.score($0, temperature: temperature, keeping: .all, Tape())
        }
        return zip(completions, trained).reduce(0) {
            max($0, largestDifference($1.0.logProbabilities, $1.1))
        }
    }

    @Test(
        "the log-probabilities have the same bits for every type of weight, with an adapter and without",
        arguments: OracleFixtures.models, [DataType.float32, .bfloat16, .float16])
    func agree(model: String, type: DataType) throws {
        try withTemporaryFolder { folder in
            let decoder = try decoder(model, type, in: folder)
            let adapter = try LoRAAdapter(
                directory: OracleFixtures.path("adapters/\(model)--all-linear-r8"),
                for: decoder.config)
            for temperature in [1, 0.7] as [Float] {
                for adapter in [adapter, nil] {
                    let difference = try difference(decoder, adapter, temperature: temperature)
                    #expect(difference == 0, "\(temperature), \(adapter != nil)")
                }
            }
        }
    }

    @Test(
        "the log-probabilities agree over quantised weights",
        arguments: OracleFixtures.models, Quantization.allCases)
    func agree(model: String, kind: Quantization) throws {
        let decoder = try Decoder(
            directory: OracleFixtures.path("models/\(model)"),
            quantization: BaseQuantization(kind, cacheFolder: nil))
        let adapter = try LoRAAdapter(
            directory: OracleFixtures.path("adapters/\(model)--all-linear-r8"),
            for: decoder.config)
        #expect(try difference(decoder, adapter, temperature: 0.7) == 0)
    }
}
