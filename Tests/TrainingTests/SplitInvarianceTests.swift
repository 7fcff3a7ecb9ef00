import Models
import Objectives
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// A mini-batch that is computed in several ways, each of which must give the same gradient.
private struct SplitBatch {
    let policy: Policy
    let samples: [PolicySample]

    /// Fourteen samples of prompts and responses of mixed lengths, whose old log-probabilities lie
    /// around the present ones so that some ratios are clipped. Some share their prompt, not all of
    /// them neighbours.
    ///
    /// - Parameter adapter: the adapter that trains; the whole model does without one.
    init(_ model: String, adapter: String?) throws {
        if let adapter {
            policy = try StepOracle(model, adapter).policy
        } else {
            let base = try Decoder(directory: OracleFixtures.path("models/\(model)"))
            policy = .full(base: base)
        }
        let random = CounterRandom(seed: 3)
        func number(_ sample: Int, _ place: Int) -> Float {
            random.uniform(stream: UInt64(sample), position: UInt64(place))
        }
        var samples = (0..<14).map { sample in
            let question = [0, 0, 0, 1, 2, 2, 3, 4, 2, 5, 5, 5, 5, 0][sample]
            let count = 1 + (5 * sample) % 13
            let prompt = (0..<3 + question % 4).map { Int32(3 + 490 * number(question, $0)) }
            let response = (0..<count).map { Int32(3 + 490 * number(sample, 50 + $0)) }
            return PolicySample(
                prompt: prompt, response: response,
                advantages: Array(repeating: 4 * number(sample, 100) - 2, count: count))
        }
        let policy = policy
        let current = try logProbabilities(samples, .samples(64)) {
            policy.score($0, temperature: 0.8, keeping: .all, nil)
        }
        for index in samples.indices {
            let values = current[index].enumerated()
            samples[index].oldLogProbabilities = values.map {
                $1 + number(index, 200 + $0) - 0.5
            }
            samples[index].referenceLogProbabilities = values.map {
                $1 + number(index, 300 + $0) - 0.5
            }
        }
        self.samples = samples
    }

    /// The gradient of every parameter, and the loss, computed one way.
    func gradient(
        _ aggregation: LossAggregation, _ microBatches: MicroBatchSettings,
        kept: KeptActivations = .all
    ) throws -> (loss: Double, gradients: [[Float]]) {
        policy.parameters.clearGradients()
        let loss = try PolicyLossSettings(
            clipHigh: 0.28, aggregation: aggregation, entropyCoefficient: 0.01, useKLLoss: true,
            klCoefficient: 0.05)
        let result = try accumulatePolicyGradient(
            policy, samples,
            PolicyUpdateSettings(
                loss: loss, temperature: 0.8, microBatches: microBatches, kept: kept,
                paddedResponseLength: 16))
        return (result.loss, policy.parameters.gradientsByName.map(\.gradient))
    }

    var tokenCount: Int { samples.reduce(0) { $0 + $1.computedTokenCount } }
}

/// The largest relative distance of one parameter's gradient.
private func distance(_ found: [[Float]], _ expected: [[Float]]) -> Double {
    zip(found, expected).reduce(0) { max($0, relativeDistance($1.0, $1.1)) }
}

@Suite("Split invariance")
struct SplitInvarianceTests {
    /// 1, 2 and 7 micro-batches, and each sample alone.
    private static let sampleCounts = [7, 2, 1]

    private func check(_ batch: SplitBatch, _ aggregation: LossAggregation) throws {
        let whole = try batch.gradient(aggregation, .samples(14))
        #expect(whole.gradients.allSatisfy { $0.contains { $0 != 0 } })
        let cuts =
            Self.sampleCounts.map(MicroBatchSettings.samples)
            + [2, 7].map { .tokens((batch.tokenCount + $0 - 1) / $0 + 2) }
        for cut in cuts + [.samples(14)] {
            for kept in KeptActivations.samples {
                let part = try batch.gradient(aggregation, cut, kept: kept)
                let distance = distance(part.gradients, whole.gradients)
                #expect(distance <= 1e-5, "\(cut), \(kept)")
                #expect(abs(part.loss - whole.loss) <= 1e-6 * abs(whole.loss) + 1e-9, "\(cut)")
            }
        }
    }

    @Test(
        "an adapter's gradient does not depend on the cut into micro-batches",
        arguments: OracleFixtures.models, LossAggregation.allCases)
    func lowRank(model: String, aggregation: LossAggregation) throws {
        let batch = try SplitBatch(model, adapter: "all-linear-r8")
        try check(batch, aggregation)
    }

    @Test(
        "the whole model's gradient does not depend on it either",
        arguments: OracleFixtures.models, LossAggregation.allCases)
    func full(model: String, aggregation: LossAggregation) throws {
        let batch = try SplitBatch(model, adapter: nil)
        try check(batch, aggregation)
    }

    @Test("recomputing the blocks gives the same bits", arguments: OracleFixtures.models)
    func recomputation(model: String) throws {
        for adapter in ["all-linear-r8", nil] {
            let batch = try SplitBatch(model, adapter: adapter)
            let kept = try batch.gradient(.tokenMean, .samples(14))
            for some in KeptActivations.samples {
                let recomputed = try batch.gradient(.tokenMean, .samples(14), kept: some)
                #expect(recomputed.gradients == kept.gradients, "\(some)")
                #expect(recomputed.loss == kept.loss, "\(some)")
            }
        }
    }

    @Test("a supervised gradient does not depend on the cut", arguments: OracleFixtures.models)
    func supervised(model: String) throws {
        for adapter in ["all-linear-r8", nil] {
            let batch = try SplitBatch(model, adapter: adapter)
            func gradient(
                _ cut: MicroBatchSettings, kept: KeptActivations
            ) throws -> (Double, [[Float]]) {
                batch.policy.parameters.clearGradients()
                let loss = try accumulateSupervisedGradient(
                    batch.policy, batch.samples, cut, keeping: kept)
                return (loss, batch.policy.parameters.gradientsByName.map(\.gradient))
            }
            let whole = try gradient(.samples(14), kept: .all)
            for cut in Self.sampleCounts.map(MicroBatchSettings.samples) + [.tokens(40)] {
                for kept in KeptActivations.samples {
                    let part = try gradient(cut, kept: kept)
                    #expect(distance(part.1, whole.1) <= 1e-5, "\(cut)")
                    #expect(abs(part.0 - whole.0) <= 1e-6 * whole.0)
                }
            }
        }
    }
}
