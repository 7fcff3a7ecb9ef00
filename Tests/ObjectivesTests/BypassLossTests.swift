import Testing

@testable import Objectives

/// Policy losses against the rollout's own log-probabilities.
struct BypassLossTests {
    struct File: Decodable {
        let lengths: [Int]
        let mask: [Float]
        let new: [Float]
        let rollout: [Float]
        let advantages: [Float]
        let cases: [Case]
    }

    struct Case: Decodable {
        let loss: String
        let aggregation: String
        let weighting: String?
        let rules: String?
        let thresholds: String?
        let value: Double
        let gradient: [Double]
    }

    @Test("losses and gradients are those of verl")
    func equalsTheReference() throws {
        let file = try fixture("bypass_losses.json", as: File.self)
        let covered = Set(file.cases.map { "\($0.loss) \($0.aggregation)" })
        for loss in BypassLoss.allCases {
            for aggregation in LossAggregation.allCases {
                #expect(covered.contains("\(loss.rawValue) \(aggregation.rawValue)"))
            }
        }
        let inputs = PolicyLossInputs(
            layout: ResponseLayout(lengths: file.lengths, mask: file.mask),
            logProbabilities: file.new, oldLogProbabilities: file.rollout,
            advantages: file.advantages)
        for reference in file.cases {
            let settings = try PolicyLossSettings(
                clipLow: 0.2, clipHigh: 0.28,
                aggregation: LossAggregation(named: reference.aggregation))
            let correction = try RolloutCorrectionSettings(
                weighting: reference.weighting, weightThreshold: 1.3, rejections: reference.rules,
                rejectionThresholds: reference.thresholds)
            let found = try bypassPolicyLoss(
                inputs, settings: settings, correction: correction,
                loss: BypassLoss(named: reference.loss),
                counts: GlobalCounts(inputs.layout, paddedResponseLength: 7))
            let name: Comment =
                "\(reference.loss) \(reference.rules ?? "") \(reference.aggregation)"
            #expect(abs(found.loss - reference.value) <= 1e-6, name)
            #expect(
                largestDifference(found.logProbabilityDerivatives, reference.gradient) <= 1e-6, name
            )
        }
    }

    @Test("rejections narrow the policy term, and leave entropy and KL alone")
    func rejectionsNarrowThePolicyTerm() throws {
        let example = PolicyLossExample(lengths: [4, 3], seed: 8)
        let settings = try example.settings(mode: .gspo)
        let counts = GlobalCounts(example.layout)
        let all = try bypassPolicyLoss(
            example.inputs, settings: settings, correction: RolloutCorrectionSettings(),
            loss: .ppoClip, counts: counts)
        let none = try bypassPolicyLoss(
            example.inputs, settings: settings,
            correction: RolloutCorrectionSettings(
                rejections: "token_k2", rejectionThresholds: "1e-12"),
            loss: .ppoClip, counts: counts)
        #expect(all.metrics["actor/pg_loss"] != 0)
        #expect(none.metrics["actor/pg_loss"] == 0)
        #expect(none.metrics["actor/entropy"] == all.metrics["actor/entropy"])
        #expect(none.metrics["actor/kl_loss"] == all.metrics["actor/kl_loss"])
        #expect(none.entropyDerivatives == all.entropyDerivatives)
    }

    @Test("a micro-batch of masked tokens gives nothing, and unknown names are refused")
    func edges() throws {
        let inputs = PolicyLossInputs(
            layout: ResponseLayout(lengths: [1], mask: [0]), logProbabilities: [-1],
            oldLogProbabilities: [-2], advantages: [1])
        let result = try bypassPolicyLoss(
            inputs, settings: PolicyLossSettings(),
            correction: RolloutCorrectionSettings(weighting: "token"), loss: .reinforce,
            counts: GlobalCounts(tokens: 3, sequences: 1))
        #expect(result.loss == 0)
        #expect(result.logProbabilityDerivatives == [0])
        #expect(throws: ObjectiveError.self) { try BypassLoss(named: "ppo") }
    }
}
