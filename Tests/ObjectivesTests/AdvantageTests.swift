import Testing

@testable import Objectives

/// Advantage estimators.
struct AdvantageTests {
    struct File: Decodable {
        let cases: [Case]
    }

    struct Case: Decodable {
        let lengths: [Int]
        let groups: [Int]
        let estimator: String
        let tokenRewards: [Float]
        let values: [Float]?
        let oldLogProbabilities: [Float]?
        let sumPiSquared: [Float]?
        let baselineScores: [Float]?
        let discount: Double?
        let lambda: Double?
        let normalizeByDeviation: Bool?
        let advantages: [Double]
        let returns: [Double]
    }

    @Test("advantages and returns are those of verl", arguments: AdvantageEstimator.all.map(\.name))
    func advantagesEqualTheReference(name: String) throws {
        let file = try fixture("advantages.json", as: File.self)
        for reference in file.cases where reference.estimator == name {
            let inputs = AdvantageInputs(
                layout: ResponseLayout(lengths: reference.lengths),
                tokenRewards: reference.tokenRewards, groups: reference.groups)
            var settings = AdvantageSettings()
            settings.normalizeByDeviation = reference.normalizeByDeviation ?? true
            settings.discount = reference.discount ?? 1
            settings.lambda = reference.lambda ?? 1
            let found = try advantages(
                inputs, estimator: AdvantageEstimator(named: name), settings: settings)
            #expect(largestDifference(found.advantages, reference.advantages) <= 2e-6)
            #expect(largestDifference(found.returns, reference.returns) <= 2e-6)
        }
    }

    @Test("scores of whole responses give what token rewards give")
    func scoresEqualTokenRewards() throws {
        let layout = ResponseLayout(lengths: [2, 3, 1, 2])
        let groups = [9, 4, 9, 4]
        for estimator in AdvantageEstimator.all {
            let byScore = AdvantageInputs(
                layout: layout, scores: [1, 0.25, 0, -1], groups: groups)
            let byToken = AdvantageInputs(
                layout: layout, tokenRewards: [0, 1, 0, 0, 0.25, 0, 0, -1], groups: groups)
            let (first, second) = (
                try advantages(byScore, estimator: estimator),
                try advantages(byToken, estimator: estimator)
            )
            #expect(first.advantages == second.advantages)
            #expect(first.returns == second.returns)
        }
    }

    @Test("a group of five with one right answer gives it the advantage 1.78885")
    func oneHitOfFive() throws {
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [1, 1, 1, 1, 1]), scores: [0, 0, 1, 0, 0],
            groups: [0, 0, 0, 0, 0])
        let found = try advantages(inputs, estimator: .grpo)
        #expect(abs(found.advantages[2] - 1.788850) <= 1e-5)
        #expect(abs(found.advantages[0] + 0.4472126) <= 1e-5)
    }

    @Test("a group without variance learns nothing")
    func equalScoresGiveZero() throws {
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [2, 2]), scores: [1, 1], groups: [0, 0])
        #expect(try advantages(inputs, estimator: .grpo).advantages == [0, 0, 0, 0])
    }

    @Test("masked tokens have no advantage, and an empty response still counts in its group")
    func masksAndEmptyResponses() throws {
        var settings = AdvantageSettings()
        settings.normalizeByDeviation = false
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [3, 0], mask: [1, 0, 1]), scores: [1, 0],
            groups: [0, 0])
        let found = try advantages(inputs, estimator: .grpo, settings: settings)
        #expect(found.advantages == [0.5, 0, 0.5])
    }

    @Test("wrong lengths and unknown names are refused")
    func badInputIsRefused() {
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [1, 1]), scores: [1], groups: [0, 0])
        #expect(throws: ObjectiveError("There are 1 scores for 2 sequences.")) {
            try advantages(inputs, estimator: .grpo)
        }
        let error = #expect(throws: ObjectiveError.self) {
            try AdvantageEstimator(named: "gprp")
        }
        #expect(error?.message.contains("nearest: \"grpo\"") == true)
    }
}
