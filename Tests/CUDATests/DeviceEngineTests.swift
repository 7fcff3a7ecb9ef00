import Models
import OracleFixtures
import Rollouts
import Tensors
import Testing

@Suite("The rollout engine on a device")
struct DeviceEngineTests {
    private static let prompts: [[Int32]] = [
        [5, 17, 4, 99, 23], [5, 17, 4, 99, 61, 3], [44], [3, 9, 12, 301, 8, 7, 7, 31, 90],
    ]

    private func completions(
        _ model: DeviceModel, _ sampling: SamplingSettings
    ) throws -> [Completion] {
        var settings = EngineSettings()
        settings.blockSize = 4
        settings.cacheLimit = .bytes(1 << 22)
        let engine = try RolloutEngine(model: model.decoder, settings: settings)
        let requests = Self.prompts.enumerated().map { index, prompt in
            RolloutRequest(id: UInt64(index), prompt: prompt, sampling: sampling, adapter: "own")
        }
        try engine.register(EngineAdapter(name: "own", version: 1, weights: model.adapter))
        for request in requests { try engine.submit(request) }
        var completions: [Completion] = []
        while completions.count < requests.count { completions += try engine.step() }
        return completions.sorted { $0.requestID < $1.requestID }
    }

    @Test("gives the host's continuations", arguments: OracleFixtures.models)
    func continuations(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel(model, on: .cpu), try DeviceModel(model, on: device)
            )
            let sampling = SamplingSettings(temperature: 1, maxTokens: 6, seed: 4)
            let (expected, found) = (
                try completions(host, sampling), try completions(moved, sampling)
            )
            #expect(found.map(\.tokens) == expected.map(\.tokens))
            #expect(
                largestDifference(
                    found.flatMap(\.logProbabilities), expected.flatMap(\.logProbabilities))
                    <= 1e-4)
        }
    }

    @Test("gives in bf16 nearly the log-probabilities that training computes")
    func mismatch() throws {
        try withEmulatedDevice { device in
            let model = try DeviceModel("qwen3-tiny", on: device, as: .bfloat16)
            let sampling = SamplingSettings(temperature: 1, maxTokens: 8, seed: 4)
            var differences: [Float] = []
            for (prompt, completion) in zip(Self.prompts, try completions(model, sampling)) {
                let sequence = prompt + completion.tokens
                let scores = tokenLogProbabilities(
                    model.decoder.hidden(
                        DecoderInput(packing: [Array(sequence.dropLast())]),
                        adapter: model.adapter),
                    model.decoder.weights.head,
                    targets: TokenIndices(Array(sequence.dropFirst())), temperature: 1, nil)
                let own = scores.logProbabilities[(prompt.count - 1)...]
                differences += zip(completion.logProbabilities, own).map { abs($0 - $1) }
            }
            #expect(differences.max() ?? 1 <= 0.05)
            #expect(differences.reduce(0, +) / Float(differences.count) <= 5e-3)
        }
    }

    @Test("refuses activations of 8 bits, which only the host has")
    func int8Activations() throws {
        try withEmulatedDevice { device in
            let model = try DeviceModel("qwen2-tiny", on: device, quantization: .int8)
            var settings = EngineSettings()
            settings.activations = .int8
            #expect(throws: RolloutError.self) {
                try RolloutEngine(model: model.decoder, settings: settings)
            }
        }
    }
}
