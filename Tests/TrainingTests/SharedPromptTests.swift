import Adapters
import Formats
import Models
import Objectives
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// A model and samples of which several share a prompt: computed in one pack, where a prompt's rows
/// are there once, and sample by sample, where each has its own.
struct SharedPromptCase: CustomStringConvertible, Sendable {
    let model: String
    /// Whether the first and the last layer see 20 tokens back only.
    var isWindowed = false
    /// Whether an adapter trains, or the whole model.
    var isLowRank = true

    var description: String {
        "\(model)\(isWindowed ? ", windows" : ""), \(isLowRank ? "adapter" : "whole model")"
    }

    /// All of a pack, and the plain way.
    static let shared = MicroBatchSettings.samples(64), plain = MicroBatchSettings.samples(1)

    static let all =
        OracleFixtures.models.flatMap { model in
            [true, false].map { SharedPromptCase(model: model, isLowRank: $0) }
        }
        + [true, false].map {
            SharedPromptCase(model: "qwen2-tiny", isWindowed: true, isLowRank: $0)
        }

    /// Four prompts, one of them longer than a block of keys and one with a single response;
    /// siblings are not all neighbours, and some responses are one token.
    static let samples: [PolicySample] = {
        let random = CounterRandom(seed: 17)
        func tokens(_ stream: Int, _ count: Int) -> [Int32] {
            (0..<count).map {
                Int32(3 + 490 * random.uniform(stream: UInt64(stream), position: UInt64($0)))
            }
        }
        let prompts = [45, 32, 7, 1].enumerated().map { tokens($0, $1) }
        let answers = [(0, 21), (0, 1), (1, 34), (0, 40), (3, 5), (2, 1), (1, 2), (2, 30), (0, 9)]
        return answers.enumerated().map { index, answer in
            var sample = PolicySample(
                prompt: prompts[answer.0], response: tokens(100 + index, answer.1),
                advantages: Array(repeating: Float(index % 5) - 1.7, count: answer.1))
            sample.values = Array(repeating: 0.1, count: answer.1)
            sample.returns = (0..<answer.1).map { Float(($0 + index) % 3) - 0.8 }
            return sample
        }
    }()

    func decoder() throws -> Decoder {
        let directory = OracleFixtures.path("models/\(model)")
        let decoder = try Decoder(directory: directory)
        guard isWindowed else { return decoder }
        let name = "\(directory)/config.json"
        guard case .object(var fields) = try JSON(contentsOfFile: name) else { return decoder }
        fields["use_sliding_window"] = true
        fields["sliding_window"] = 20
        fields["layer_types"] = ["sliding_attention", "full_attention", "sliding_attention"]
        let config = try DecoderConfig(.object(fields), name: name)
        #expect(config.windows == [20, 0, 20])
        return Decoder(config, decoder.weights)
    }

    func policy() throws -> Policy {
        let base = try decoder()
        guard isLowRank else { return .full(base: base) }
        let adapter = try LoRAAdapter(
            directory: OracleFixtures.path("adapters/\(model)--all-linear-r8"), for: base.config)
        return .lowRank(
            base: base, adapter: adapter.weights(training: true), parameters: adapter.parameters)
    }
}

@Suite("A prompt that samples share")
struct SharedPromptTests {
    @Test("is one run of rows, whose last one predicts the first token of each response")
    func rows() {
        let packed = PackedSamples([
            PolicySample(prompt: [5, 9], response: [7, 2]),
            PolicySample(prompt: [8], response: [6]),
            PolicySample(prompt: [5, 9], response: [4, 1, 3]),
        ])
        #expect(packed.input.tokens.toArray() == [5, 9, 7, 4, 1, 8])
        #expect(packed.input.positions.toArray() == [0, 1, 2, 2, 3, 0])
        #expect(packed.rows.toArray() == [1, 2, 5, 1, 3, 4])
        #expect(packed.targets.toArray() == [7, 2, 6, 4, 1, 3])
        #expect((0..<3).map(packed.layout.tokens(of:)) == [0..<2, 2..<3, 3..<6])
    }

    @Test("changes no bit of a log-probability", arguments: SharedPromptCase.all)
    func bits(testCase: SharedPromptCase) throws {
        let samples = SharedPromptCase.samples
        let policy = try testCase.policy(), reference = ReferenceModel(base: policy.base)
        let passes: [(PackedSamples) -> TokenLogProbabilities] = [
            { policy.score($0, temperature: 0.8, keeping: .all, nil) },
            { reference.score($0, temperature: 0.8) },
        ]
        for score in passes {
            let shared = try logProbabilities(samples, SharedPromptCase.shared, score: score)
            let plain = try logProbabilities(samples, SharedPromptCase.plain, score: score)
            #expect(shared == plain)
            #expect(!shared.joined().contains { !$0.isFinite })
        }
    }

    @Test("gives the policy the gradient of the plain way", arguments: SharedPromptCase.all)
    func policyGradient(testCase: SharedPromptCase) throws {
        let policy = try testCase.policy(), reference = ReferenceModel(base: policy.base)
        var samples = SharedPromptCase.samples
        let scores = try logProbabilities(samples, SharedPromptCase.plain) {
            reference.score($0, temperature: 0.8)
        }
        for index in samples.indices { samples[index].referenceLogProbabilities = scores[index] }
        func gradient(
            _ cut: MicroBatchSettings, kept: KeptActivations
        ) throws -> (PolicyGradient, [[Float]]) {
            policy.parameters.clearGradients()
            let loss = try PolicyLossSettings(
                entropyCoefficient: 0.01, useKLLoss: true, klCoefficient: 0.05)
            let result = try accumulatePolicyGradient(
                policy, samples,
                PolicyUpdateSettings(
                    loss: loss, temperature: 0.8, microBatches: cut, kept: kept,
                    paddedResponseLength: 40))
            return (result, policy.parameters.gradientsByName.map(\.gradient))
        }
        let plain = try gradient(SharedPromptCase.plain, kept: .all)
        #expect(plain.1.allSatisfy { $0.contains { $0 != 0 } })
        for kept in KeptActivations.samples {
            let shared = try gradient(SharedPromptCase.shared, kept: kept)
            #expect(shared.0.logProbabilities == plain.0.logProbabilities)
            #expect(abs(shared.0.loss - plain.0.loss) <= 1e-6 * abs(plain.0.loss))
            for (found, expected) in zip(shared.1, plain.1) {
                #expect(relativeDistance(found, expected) <= 1e-5)
            }
        }
    }

    @Test(
        "gives the critic the values and the gradient of the plain way", arguments: [4, 0])
    func critic(rank: Int) throws {
        let critic = try CriticExample.critic("qwen3-tiny", "critic.model.lora_rank=\(rank)")
        CriticExample.stir(critic)
        let samples = SharedPromptCase.samples
        func gradient(_ cut: MicroBatchSettings, kept: KeptActivations) throws -> [[Float]] {
            critic.parameters.clearGradients()
            _ = try accumulateValueGradient(
                critic, samples, CriticExample.update(.tokenMean, cut, kept: kept))
            return critic.parameters.gradientsByName.map(\.gradient)
        }
        let shared = try criticValues(of: samples, critic, SharedPromptCase.shared)
        #expect(try criticValues(of: samples, critic, SharedPromptCase.plain) == shared)
        let plain = try gradient(SharedPromptCase.plain, kept: .all)
        #expect(plain.allSatisfy { $0.contains { $0 != 0 } })
        for kept in KeptActivations.samples {
            let shared = try gradient(SharedPromptCase.shared, kept: kept)
            for (found, expected) in zip(shared, plain) {
                #expect(relativeDistance(found, expected) <= 1e-5)
            }
        }
    }
}
