import Formats
import Models
import Objectives
import Rewards
import Tensors

@testable import Rollouts
@testable import Training

extension StepOracle {
    /// The oracle's samples as responses of a rollout: groups of two, scored 0, 1, 2, ...
    ///
    /// - Parameter shift: what the rollout's log-probabilities lie above the policy's.
    func responses(
        finishReason: FinishReason = .stop, scores: [Double]? = nil,
        extras: [[String: Double]]? = nil, shift: Float = 0
    ) throws -> [ScoredResponse] {
        let current = try logProbabilities(samples, .samples(64)) {
            policy.score($0, temperature: settings.temperature, keeping: .all, nil)
        }
        return samples.enumerated().map { index, sample in
            ScoredResponse(
                row: PromptRow(
                    index: index, name: "row", prompt: .text(""), promptIDs: sample.prompt,
                    dataSource: "", groundTruth: "", groundTruthValue: .null,
                    extraInfo: .null),
                group: index / 2,
                completion: Completion(
                    requestID: UInt64(index), tokens: sample.response,
                    logProbabilities: current[index].map { $0 + shift },
                    finishReason: finishReason, adapterVersion: 0),
                text: "",
                reward: RewardScore(
                    score: scores?[index] ?? Double(index), extras: extras?[index] ?? [:]))
        }
    }

    /// Settings of a step of one update over all samples by GRPO, with `change` made to them.
    func stepSettings(
        _ change: (inout LearningStepSettings) throws -> Void = { _ in }
    ) throws -> LearningStepSettings {
        var settings = LearningStepSettings(
            update: settings,
            miniBatches: MiniBatches(size: samples.count, epochs: 1, shuffles: false, seed: 0),
            estimator: try AdvantageEstimator(named: "grpo"),
            oldPolicy: try OldPolicySettings(source: .automatic),
            referenceMicroBatches: .samples(4), oldMicroBatches: .samples(4))
        try change(&settings)
        return settings
    }

    /// One step of learning from `responses`, by default the oracle's own.
    @discardableResult
    func learn(
        _ experience: Experience? = nil, optimizer: Optimizer? = nil,
        reference: ReferenceModel? = nil, step: Int = 1,
        _ change: (inout LearningStepSettings) throws -> Void = { _ in }
    ) throws -> LearningOutcome {
        let learning = LearningStep(
            policy,
            optimizer ?? Optimizer(policy.parameters, AdamWSettings(), maximumNorm: 1),
            reference: reference ?? ReferenceModel(base: policy.base), try stepSettings(change))
        var stopwatch = Stopwatch()
        let outcome = try learning.run(
            try experience ?? Experience(responses()), step: step,
            rates: LearningStep.Rates(actor: 0.1), &stopwatch, progress: { _ in })
        return LearningOutcome(
            metrics: outcome.metrics, experience: outcome.experience,
            estimates: outcome.estimates, phases: Set(stopwatch.seconds.keys),
            klCoefficient: learning.klCoefficient)
    }
}

/// What a step of learning gave, and the phases that it had.
struct LearningOutcome {
    let metrics: [String: Double]
    let experience: Experience
    let estimates: AdvantageEstimates
    let phases: Set<String>
    let klCoefficient: Double?
}
