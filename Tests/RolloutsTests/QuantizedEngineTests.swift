import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@Suite("Engine over quantised weights")
struct QuantizedEngineTests {
    private func decoder(_ kind: Quantization?) throws -> Decoder {
        try Decoder(
            directory: OracleFixtures.path("models/qwen2-tiny"),
            quantization: kind.map { BaseQuantization($0, cacheFolder: nil) })
    }

    private func settings(_ activations: ActivationPrecision) -> EngineSettings {
        var settings = EngineSettings()
        settings.activations = activations
        return settings
    }

    @Test(
        "what a request gets does not depend on what shares its batch",
        arguments: [
            (.int8, .float32), (.int4, .float32), (.nf4, .float32), (.int8, .int8), (.int4, .int8),
        ] as [(Quantization, ActivationPrecision)])
    func batch(kind: Quantization, activations: ActivationPrecision) throws {
        let decoder = try decoder(kind)
        let requests = (0..<9).map { index in
            RolloutRequest(
                id: UInt64(index), prompt: (0...Int32(index)).map { 5 + 7 * $0 },
                sampling: SamplingSettings(maxTokens: 6, seed: 2))
        }
        let together = try RolloutEngine(model: decoder, settings: settings(activations))
            .generate(requests)
        for (request, expected) in zip(requests, together) {
            let alone = try RolloutEngine(model: decoder, settings: settings(activations))
                .generate([request])[0]
            #expect(alone.tokens == expected.tokens)
            #expect(alone.logProbabilities == expected.logProbabilities)
        }
    }

    @Test(
        "rounded activations are refused where no such product is",
        arguments: [.nf4, nil] as [Quantization?])
    func refused(kind: Quantization?) throws {
        let decoder = try decoder(kind)
        let error = #expect(throws: RolloutError.self) {
            _ = try RolloutEngine(model: decoder, settings: settings(.int8))
        }
        #expect(error?.description.contains("int8 or int4") == true)
    }
}
