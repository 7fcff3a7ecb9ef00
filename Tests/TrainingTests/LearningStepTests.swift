import Adapters
import Objectives
import OracleFixtures
import Rollouts
import Tensors
import Testing

@testable import Training

@Suite("The learning half of a step")
struct LearningStepTests {
    private func oracle() throws -> StepOracle {
        try StepOracle("qwen2-tiny", "all-linear-r8")
    }

    @Test("the old log-probabilities have a pass of their own only where something needs it")
    func oldPass() throws {
        let oracle = try oracle()
        func hasPass(_ change: (inout LearningStepSettings) throws -> Void) throws -> Bool {
            try oracle.learn(nil, change).phases.contains("old_log_prob")
        }
        #expect(try !hasPass { _ in })
        #expect(try !hasPass { $0.miniBatches.size = 2 })
        #expect(try !hasPass { $0.oldPolicy = try OldPolicySettings(source: .recomputed) })
        #expect(
            try hasPass {
                $0.oldPolicy = try OldPolicySettings(source: .recomputed)
                $0.miniBatches.size = 2
            })
        #expect(
            try hasPass {
                $0.rolloutIsExact = false
                $0.miniBatches.size = 2
            })
        #expect(try hasPass { $0.estimator = .optimalTokenBaseline })
        #expect(
            try hasPass {
                $0.oldPolicy = try OldPolicySettings(
                    source: .automatic, correction: RolloutCorrectionSettings(weighting: "token"))
            })
    }

    @Test("a KL in the reward is taken from each token, and its coefficient follows it")
    func rewardPenalty() throws {
        let oracle = try oracle()
        let plain = try oracle.learn()
        let outcome = try oracle.learn {
            $0.rewardPenalty = RewardPenaltySettings(
                estimator: KLEstimator(.k1),
                controller: try KLController(
                    coefficient: 0.5, rule: .adaptive(target: 1e-6, horizon: 8)))
        }
        let samples = outcome.experience.samples
        let reference = samples.flatMap { $0.referenceLogProbabilities ?? [] }
        let expected = zip(
            plain.experience.tokenRewards,
            zip(outcome.experience.sampledLogProbabilities, reference)
        ).map { $0 - 0.5 * ($1.0 - $1.1) }
        #expect(largestDifference(outcome.experience.tokenRewards, expected) <= 1e-5)
        #expect(outcome.metrics["actor/reward_kl_penalty_coeff"] == 0.5)
        let divergence = try #require(outcome.metrics["actor/reward_kl_penalty"])
        let change = 0.2 * Double(samples.count) / 8
        let moved = 0.5 * (1 + (divergence > 0 ? change : -change))
        #expect(abs(try #require(outcome.klCoefficient) - moved) < 1e-12)
        #expect(plain.klCoefficient == nil)
    }

    @Test("a run that goes on has the adaptive coefficient that was reached, or its own fixed one")
    func restoredPenalty() throws {
        let oracle = try oracle()
        var state = TrainerState()
        state.klCoefficient = 0.25
        func coefficient(_ rule: KLController.Rule) throws -> Double? {
            let settings = try oracle.stepSettings {
                $0.rewardPenalty = RewardPenaltySettings(
                    estimator: KLEstimator(.k1),
                    controller: try KLController(coefficient: 0.5, rule: rule))
            }
            let step = LearningStep(
                oracle.policy,
                Optimizer(oracle.policy.parameters, AdamWSettings(), maximumNorm: 1),
                reference: ReferenceModel(base: oracle.policy.base), settings)
            try step.restore(state)
            return step.klCoefficient
        }
        #expect(try coefficient(.adaptive(target: 1, horizon: 8)) == 0.25)
        #expect(try coefficient(.fixed) == 0.5)
    }

    @Test("a reward that single precision cannot hold is refused by the row's name")
    func hugeReward() throws {
        let oracle = try oracle()
        var scores = oracle.samples.indices.map(Double.init)
        scores[1] = 1e39
        let error = #expect(throws: TrainingError.self) {
            try Experience(oracle.responses(scores: scores))
        }
        #expect(error?.description.contains("row: the reward gives 1e+39 as 'score'") == true)
        let extras = oracle.samples.map { _ in ["format": -Double.infinity] }
        let other = #expect(throws: TrainingError.self) {
            try Experience(oracle.responses(extras: extras), rewardKeys: ["format"])
        }
        #expect(other?.description.contains("'format'") == true)
    }

    @Test("tokens are weighed and rejected by how far the rollout lies from the policy")
    func correction() throws {
        let oracle = try oracle()
        let experience = try Experience(oracle.responses(shift: 0.5))
        let weighed = try oracle.learn(experience) {
            $0.oldPolicy = try OldPolicySettings(
                source: .automatic, correction: RolloutCorrectionSettings(weighting: "token"))
        }
        let weights = weighed.experience.samples.flatMap { $0.rolloutWeights ?? [] }
        #expect(weights.count == weighed.experience.samples.responseLayout.tokenCount)
        #expect(weights.allSatisfy { abs($0 - 0.60653) < 1e-4 })
        #expect(abs((weighed.metrics["rollout_corr/kl"] ?? 0) - 0.5) < 1e-4)
    }

    @Test("the gradient of the policy loss has the weights of the rollout correction")
    func weighedGradient() throws {
        func norm(weighting: String?) throws -> Double {
            let oracle = try oracle()
            let outcome = try oracle.learn(Experience(oracle.responses(shift: 0.5))) {
                $0.update.loss = try PolicyLossSettings()
                $0.oldPolicy = try OldPolicySettings(
                    source: .automatic,
                    correction: RolloutCorrectionSettings(weighting: weighting))
            }
            return try #require(outcome.metrics["actor/grad_norm"])
        }
        let (plain, weighed) = try (norm(weighting: nil), norm(weighting: "token"))
        #expect(plain > 0 && abs(weighed / plain - 0.60653) < 1e-3)
    }

    @Test(
        "a step whose tokens are all rejected teaches nothing, and the run goes on",
        arguments: ["grpo", "reinforce_plus_plus"])
    func rejection(estimator: String) throws {
        let oracle = try oracle()
        let optimizer = Optimizer(oracle.policy.parameters, AdamWSettings(), maximumNorm: 1)
        let before = oracle.policy.parameters.values.toArray()
        let outcome = try oracle.learn(
            Experience(oracle.responses(shift: 0.5)), optimizer: optimizer
        ) {
            $0.estimator = try AdvantageEstimator(named: estimator)
            $0.oldPolicy = try OldPolicySettings(
                source: .automatic,
                correction: RolloutCorrectionSettings(
                    rejections: "token_k1", rejectionThresholds: "0.9_1.1"))
        }
        #expect(outcome.metrics["rollout_corr/rejected_steps"] == 1 && optimizer.step == 0)
        #expect(outcome.experience.samples.allSatisfy { $0.mask?.allSatisfy { $0 == 0 } == true })
        #expect(oracle.policy.parameters.values.toArray() == before)
    }

    @Test("bypass mode compares with the rollout and corrects within the loss")
    func bypass() throws {
        let oracle = try oracle()
        let outcome = try oracle.learn(Experience(oracle.responses(shift: 0.5))) {
            $0.oldPolicy = try OldPolicySettings(source: .rollout, bypassLoss: .reinforce)
            $0.update.bypass = BypassSettings(
                loss: .reinforce, correction: try RolloutCorrectionSettings(weighting: "token"))
        }
        #expect(!outcome.phases.contains("old_log_prob"))
        let samples = outcome.experience.samples
        #expect(samples.allSatisfy { $0.oldLogProbabilities == $0.rolloutLogProbabilities })
        #expect(abs((outcome.metrics["actor/ppo_kl"] ?? 0) - 0.5) < 1e-4)
        #expect(abs((outcome.metrics["rollout_corr/rollout_is_mean"] ?? 0) - 0.60653) < 1e-4)
    }

    @Test("responses that were cut off teach nothing where that is asked for")
    func truncated() throws {
        let oracle = try oracle()
        let experience = try Experience(oracle.responses(finishReason: .length))
        let optimizer = Optimizer(
            oracle.policy.parameters, AdamWSettings(weightDecay: 0), maximumNorm: 1)
        let before = oracle.policy.parameters.values.toArray()
        let outcome = try oracle.learn(experience, optimizer: optimizer) {
            $0.masksTruncated = true
        }
        #expect(outcome.metrics["actor/grad_norm"] == nil && optimizer.step == 0)
        #expect(oracle.policy.parameters.values.toArray() == before)
        #expect(outcome.estimates.advantages.contains { $0 != 0 })
    }

    @Test("PF-PPO draws samples by their scores, anew at each step")
    func resampling() throws {
        let oracle = try oracle()
        func norm(step: Int, method: PFPPOSettings.Method?) throws -> Double? {
            let oracle = try self.oracle()
            return try oracle.learn(step: step) {
                $0.seed = 3
                $0.resampling = try method.map {
                    try PFPPOSettings(method: $0.rawValue, power: 2)
                }
            }.metrics["actor/grad_norm"]
        }
        let all = try norm(step: 1, method: nil)
        let drawn = try norm(step: 1, method: .power)
        #expect(drawn != all)
        #expect(try drawn == norm(step: 1, method: .power))
        let others = try [2, 3, 4].map { try norm(step: $0, method: .power) }
        #expect(others.contains { $0 != drawn })
        #expect(oracle.samples.count > 1)
    }

    @Test("several rewards are taken by their names, and a missing one is named")
    func rewardComponents() throws {
        let oracle = try oracle()
        let extras = oracle.samples.indices.map { ["format": Double($0 % 2)] }
        let responses = try oracle.responses(extras: extras)
        let experience = try Experience(responses, rewardKeys: ["score", "format"])
        #expect(experience.rewardComponents?[1] == extras.map { Float($0["format"] ?? -1) })
        #expect(try oracle.learn(experience) { $0.estimator = .gdpo }.metrics["actor/loss"] != nil)
        let error = #expect(throws: TrainingError.self) {
            try Experience(responses, rewardKeys: ["style"])
        }
        #expect(error?.description.contains("'style'") == true)
        #expect(error?.description.contains("score, format") == true)
    }

    @Test("the policy waits while a critic warms up")
    func warmUp() throws {
        let oracle = try oracle()
        let before = oracle.policy.parameters.values.toArray()
        let outcome = try oracle.learn(step: 2) { $0.firstActorStep = 3 }
        #expect(outcome.metrics["actor/loss"] == nil)
        #expect(oracle.policy.parameters.values.toArray() == before)
        #expect(try oracle.learn(step: 3) { $0.firstActorStep = 3 }.metrics["actor/loss"] != nil)
    }
}
