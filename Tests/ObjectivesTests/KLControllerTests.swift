import Testing

@testable import Objectives

/// The KL penalty in the reward and its coefficient.
struct KLControllerTests {
    struct File: Decodable {
        let adaptive: Adaptive
    }

    struct Adaptive: Decodable {
        let `init`: Double
        let target: Double
        let horizon: Double
        let sequence: [Step]
    }

    struct Step: Decodable {
        let current_kl: Double
        let n_steps: Int
        let coef: Double
    }

    @Test("the adaptive controller follows as verl's does, and the fixed one stays")
    func controllers() throws {
        let reference = try fixture("kl_and_value.json", as: File.self).adaptive
        let rule = try KLController.rule(
            named: "adaptive", target: reference.target, horizon: reference.horizon)
        var adaptive = try KLController(coefficient: reference.`init`, rule: rule)
        var fixed = try KLController(coefficient: reference.`init`)
        for step in reference.sequence {
            adaptive.update(divergence: step.current_kl, sequences: step.n_steps)
            fixed.update(divergence: step.current_kl, sequences: step.n_steps)
            #expect(abs(adaptive.coefficient - step.coef) <= 1e-12)
            #expect(fixed.coefficient == reference.`init`)
        }
    }

    @Test("wrong names and numbers are refused")
    func badSettingsAreRefused() {
        #expect(throws: ObjectiveError.self) {
            try KLController.rule(named: "adaptiv", target: 1, horizon: 1)
        }
        #expect(
            throws: ObjectiveError(
                "algorithm.kl_ctrl.horizon must be greater than 0, but it is 0.0.")
        ) {
            try KLController(coefficient: 0.1, rule: .adaptive(target: 1, horizon: 0))
        }
    }

    @Test("the penalty is taken from each token, and the divergence is a mean over sequences")
    func penalty() throws {
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [2, 3, 0], mask: [1, 1, 1, 0, 1]), scores: [1, 2, 3],
            groups: [0, 0, 0])
        let found = try rewardsWithKLPenalty(
            inputs, logProbabilities: [-1, -1, -1, 9, -1], reference: [-1.5, -2, -1, -9, -3],
            estimator: KLEstimator(.k1), coefficient: 0.5)
        #expect(found.tokenRewards == [-0.25, 0.5, 0, 0, 1])
        // Means of 0.75 and 1, and 0 for the empty sequence.
        #expect(abs(found.divergence - 0.583333333) <= 1e-8)
        #expect(throws: ObjectiveError.self) {
            try rewardsWithKLPenalty(
                inputs, logProbabilities: [], reference: [], estimator: KLEstimator(.k1),
                coefficient: 1)
        }
    }
}
