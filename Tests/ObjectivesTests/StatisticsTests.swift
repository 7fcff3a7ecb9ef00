import Testing

@testable import Objectives

/// Masked statistics and the difference between rollout and actor.
struct StatisticsTests {
    @Test("whitening gives the unmasked tokens mean 0 and variance 1")
    func whitening() throws {
        let layout = ResponseLayout(lengths: [3, 2], mask: [1, 1, 0, 1, 1])
        let found = try whitened([1, 2, 100, 3, 4], layout)
        let statistics = MaskedStatistics(found, layout)
        #expect(abs(statistics.mean) <= 1e-12)
        #expect(abs(try #require(statistics.variance) - 1) <= 1e-7)
        #expect(throws: ObjectiveError.self) {
            try whitened([1, 2], ResponseLayout(lengths: [2], mask: [1, 0]))
        }
    }

    @Test("the rollout difference measures probabilities, log-probabilities and their correlation")
    func rolloutDifference() throws {
        let layout = ResponseLayout(lengths: [2, 2], mask: [1, 1, 0, 1])
        let (rollout, actor): ([Float], [Float]) = ([-0.5, -1, -2, -0.25], [-0.6, -1, 5, -0.2])
        let whole = RolloutDifference(rollout: rollout, actor: actor, layout: layout)
        let metrics = whole.metrics
        // From numpy: p = exp([-.5, -1, -.25]), q = exp([-.6, -1, -.2]).
        let expected = [
            "training/rollout_probs_diff_valid": 1,
            "training/rollout_probs_diff_max": 0.0577190,
            "training/rollout_probs_diff_mean": 0.0325496,
            "training/rollout_probs_diff_std": 0.0295588,
            "training/rollout_actor_probs_pearson_corr": 0.9787622,
            "training/rollout_log_probs_diff_max": 0.1,
            "training/rollout_log_probs_diff_mean": 0.05,
        ]
        #expect(metrics.keys.sorted() == expected.keys.sorted())
        for (key, value) in expected {
            #expect(abs(try #require(metrics[key]) - value) <= 1e-6, Comment(rawValue: key))
        }
        var parts = RolloutDifference(
            rollout: [-0.5, -1], actor: [-0.6, -1], layout: ResponseLayout(lengths: [2]))
        parts.merge(
            RolloutDifference(
                rollout: [-2, -0.25], actor: [5, -0.2],
                layout: ResponseLayout(lengths: [2], mask: [0, 1])))
        for (key, value) in parts.metrics {
            #expect(abs(value - (metrics[key] ?? .nan)) <= 1e-12, Comment(rawValue: key))
        }
    }

    @Test("a NaN log-probability is not hidden by the maximum")
    func nansComeOut() {
        let layout = ResponseLayout(lengths: [2])
        for actor: [Float] in [[.nan, -1], [-1, .nan]] {
            let found = RolloutDifference(rollout: [-1, -1], actor: actor, layout: layout)
            #expect(found.maximumLogProbabilityDifference.isNaN)
        }
    }

    @Test("nothing measured is said to be invalid, and equal probabilities differ by exactly 0")
    func edges() {
        #expect(RolloutDifference().metrics == ["training/rollout_probs_diff_valid": 0])
        let layout = ResponseLayout(lengths: [2])
        let same = RolloutDifference(rollout: [-1, -2], actor: [-1, -2], layout: layout)
        #expect(same.maximumLogProbabilityDifference == 0)
        #expect(same.metrics["training/rollout_probs_diff_max"] == 0)
    }
}
