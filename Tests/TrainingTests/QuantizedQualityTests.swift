import Formats
import Models
import Rollouts
import Tensors
import Testing

@testable import Training

/// What quantisation costs on a model that has learned something: the student of the example.
@Suite("Quality of a quantised base")
struct QuantizedQualityTests {
    private static let student = "\(ArithmeticExampleTests.examples)/arithmetic/student"

    /// How far log-probabilities lie from others of the same tokens, in nats.
    private struct LogProbabilityError: CustomStringConvertible {
        var (mean, maximum) = (0.0, 0.0)
        let count: Int

        init(_ values: [[Float]], _ expected: [[Float]]) {
            let errors = zip(values.joined(), expected.joined()).map { abs(Double($0 - $1)) }
            count = errors.count
            mean = errors.reduce(0, +) / Double(errors.count)
            maximum = errors.max() ?? .nan
        }

        var description: String { "mean \(mean), maximum \(maximum) of \(count)" }
    }

    private func decoder(_ kind: Quantization?) throws -> Decoder {
        try Decoder(
            directory: Self.student,
            quantization: kind.map { BaseQuantization($0, cacheFolder: nil) })
    }

    /// Two answers of `decoder` to each of 16 sums, as its engine draws them.
    private func rollout(
        _ decoder: Decoder, activations: ActivationPrecision = .float32
    ) throws -> (samples: [PolicySample], logProbabilities: [[Float]]) {
        let tokenizer = try Tokenizer(directory: Self.student)
        let encoder = try PromptEncoder(tokenizer, customTemplate: nil)
        let limits = PromptSettings(maxLength: 32)
        let rows = try PromptDataset(
            files: ["\(ArithmeticExampleTests.examples)/arithmetic/test.jsonl"], limits, encoder,
            limit: 16
        ).rows
        let sampling = Rollouts.SamplingSettings(
            maxTokens: 48, stopIDs: Set(decoder.config.endOfSequenceIDs), seed: 3)
        let requests = (rows + rows).enumerated().map {
            RolloutRequest(id: UInt64($0), prompt: $1.promptIDs, sampling: sampling)
        }
        var settings = EngineSettings()
        settings.activations = activations
        let completions = try RolloutEngine(model: decoder, settings: settings)
            .generate(requests, adapter: nil)
        return (
            zip(requests, completions).map { PolicySample(prompt: $0.prompt, response: $1.tokens) },
            completions.map(\.logProbabilities)
        )
    }

    /// What training computes for the same tokens.
    private func scores(_ samples: [PolicySample], _ decoder: Decoder) throws -> [[Float]] {
        let policy = Policy(
            decoder: decoder, adapter: nil, base: decoder, parameters: ParameterBuffer([]))
        return try logProbabilities(samples, .tokens(2048)) {
            policy.score($0, temperature: 1, keeping: .all, nil)
        }
    }

    @Test(
        "log-probabilities stay near those of the f32 model",
        arguments: [(.int8, 1e-4, 8e-3), (.int4, 8e-4, 0.06), (.nf4, 1.5e-3, 0.12)]
            as [(Quantization, Double, Double)])
    func base(kind: Quantization, mean: Double, maximum: Double) throws {
        let original = try decoder(nil)
        let (samples, _) = try rollout(original)
        let error = LogProbabilityError(
            try scores(samples, decoder(kind)), try scores(samples, original))
        #expect(error.count > 500)
        #expect(error.mean < mean && error.maximum < maximum, "\(error)")
    }

    @Test(
        "rounded activations move the rollout's log-probabilities from training's, but not far",
        arguments: [(.int8, 4e-4, 0.03), (.int4, 4e-4, 0.045)] as [(Quantization, Double, Double)])
    func activations(kind: Quantization, mean: Double, maximum: Double) throws {
        let decoder = try decoder(kind)
        let (samples, sampled) = try rollout(decoder, activations: .int8)
        let error = LogProbabilityError(sampled, try scores(samples, decoder))
        #expect(error.mean > 1e-5, "nothing was rounded: \(error)")
        #expect(error.mean < mean && error.maximum < maximum, "\(error)")
        let (exact, own) = try rollout(decoder)
        let difference = LogProbabilityError(own, try scores(exact, decoder))
        #expect(difference.maximum == 0, "\(difference)")
    }
}
