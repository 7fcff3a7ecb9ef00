import Testing

@testable import Objectives

/// Advantage estimators.
struct AdvantageTests {
    struct File: Decodable {
        let cases: [Case]
    }

    struct Case: Decodable {
        let lengths: [Int]
        let mask: [Float]?
        let groups: [Int]
        let estimator: String
        let tokenRewards: [Float]
        let values: [Float]?
        let oldLogProbabilities: [Float]?
        let sumPiSquared: [Float]?
        let baselineScores: [Float]?
        let rolloutWeights: [Float]?
        let rewardComponents: [[Float]]?
        let rewardWeights: [Double]?
        let discount: Double?
        let lambda: Double?
        let normalizeByDeviation: Bool?
        let advantages: [Double]
        let returns: [Double]

        /// The outcome scores of each group.
        private var groupScores: [[Float]] {
            let layout = ResponseLayout(lengths: lengths)
            var scores: [Int: [Float]] = [:]
            for (sequence, group) in groups.enumerated() {
                let score = tokenRewards[layout.tokens(of: sequence)].reduce(0, +)
                scores[group, default: []].append(score)
            }
            return Array(scores.values)
        }

        var hasSingleGroup: Bool { groupScores.contains { $0.count == 1 } }

        var hasEqualGroup: Bool { groupScores.contains { $0.count > 1 && Set($0).count == 1 } }
    }

    /// The reference in single precision without, and in double with masked tokens within sequences.
    private static let files = ["advantages.json": 4e-6, "advantages_masked.json": 2e-7]

    @Test(
        "advantages and returns are those of verl",
        arguments: files, AdvantageEstimator.all.map(\.name))
    func advantagesEqualTheReference(file: (key: String, value: Double), name: String) throws {
        let cases = try fixture(file.key, as: File.self).cases
        for reference in cases where reference.estimator == name {
            var inputs = AdvantageInputs(
                layout: ResponseLayout(lengths: reference.lengths, mask: reference.mask),
                tokenRewards: reference.tokenRewards, groups: reference.groups)
            inputs.values = reference.values
            inputs.oldLogProbabilities = reference.oldLogProbabilities
            inputs.squaredProbabilitySums = reference.sumPiSquared
            inputs.greedyScores = reference.baselineScores
            inputs.rolloutWeights = reference.rolloutWeights
            inputs.rewardComponents = reference.rewardComponents
            var settings = AdvantageSettings()
            settings.normalizeByDeviation = reference.normalizeByDeviation ?? true
            settings.discount = reference.discount ?? 1
            settings.lambda = reference.lambda ?? 1
            settings.rewardWeights = reference.rewardWeights
            let found = try advantages(
                inputs, estimator: AdvantageEstimator(named: name), settings: settings)
            #expect(largestDifference(found.advantages, reference.advantages) <= file.value)
            let returns = found.returns.indices.map {
                inputs.layout.isUnmasked($0) ? found.returns[$0] : 0
            }
            #expect(largestDifference(returns, reference.returns) <= file.value)
        }
    }

    @Test(
        "every estimator has a reference with masked tokens and a group of equal scores",
        arguments: AdvantageEstimator.all.map(\.name))
    func everyEstimatorIsCovered(name: String) throws {
        let cases = try Self.files.keys.flatMap { try fixture($0, as: File.self).cases }
            .filter { $0.estimator == name }
        #expect(cases.contains { $0.mask?.contains(0) == true && $0.hasEqualGroup })
        // Only pass@k has nothing to say of a group of one.
        #expect(cases.contains { $0.hasSingleGroup } != (name == "grpo_passk"))
    }

    @Test("every estimator of the reference is registered")
    func everyReferenceIsRegistered() throws {
        let cases = try Self.files.keys.flatMap { try fixture($0, as: File.self).cases }
        #expect(Set(cases.map(\.estimator)) == Set(AdvantageEstimator.all.map(\.name)))
        let discounted = cases.filter { $0.mask?.contains(0) == true && ($0.discount ?? 1) != 1 }
        #expect(Set(discounted.map(\.estimator)) == ["gae", "reinforce_plus_plus"])
    }

    @Test("an estimator without the input it needs is refused, and says what it needs")
    func missingInputsAreRefused() {
        for estimator in AdvantageEstimator.all where !estimator.needs.isEmpty {
            let inputs = AdvantageInputs(
                layout: ResponseLayout(lengths: [2, 2]), scores: [0, 1], groups: [0, 0])
            let error = #expect(throws: ObjectiveError.self) {
                try advantages(inputs, estimator: estimator)
            }
            let need = estimator.needs[0].rawValue
            #expect(error?.message == "adv_estimator=\(estimator.name) needs \(need).")
        }
    }

    @Test("groups that are too small and weights that do not fit are refused")
    func impossibleBatchesAreRefused() {
        var inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [2, 2]), scores: [0, 1], groups: [0, 1])
        let error = #expect(throws: ObjectiveError.self) {
            try advantages(inputs, estimator: .grpoPassK)
        }
        #expect(error?.message.contains("at least 2 responses to each prompt") == true)
        inputs.rewardComponents = [[0, 1], [1, 1]]
        var settings = AdvantageSettings()
        settings.rewardWeights = [1]
        #expect(throws: ObjectiveError.self) {
            try advantages(inputs, estimator: .gdpo, settings: settings)
        }
        inputs.rewardComponents = [[0]]
        #expect(throws: ObjectiveError("There are 1 scores of one reward for 2 sequences.")) {
            try advantages(inputs, estimator: .gdpo)
        }
    }

    @Test("the return of REINFORCE++ reaches the turns before a masked token")
    func returnsPassMaskedTokens() throws {
        var settings = AdvantageSettings()
        settings.discount = 0.5
        let inputs = AdvantageInputs(
            layout: ResponseLayout(lengths: [4], mask: [1, 0, 0, 1]), scores: [8], groups: [0])
        let found = try advantages(inputs, estimator: .reinforcePlusPlus, settings: settings)
        #expect(found.returns[0] == 4)
        #expect(found.returns[3] == 8)
    }

    @Test("scores of whole responses give what token rewards give")
    func scoresEqualTokenRewards() throws {
        let layout = ResponseLayout(lengths: [2, 3, 1, 2])
        let groups = [9, 4, 9, 4]
        for estimator in AdvantageEstimator.all where estimator.needs.isEmpty {
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
        let short = AdvantageInputs(
            layout: ResponseLayout(lengths: [1, 1]), tokenRewards: [1], groups: [0, 0])
        #expect(throws: ObjectiveError("There are 1 token rewards for 2 response tokens.")) {
            try advantages(short, estimator: .grpo)
        }
        let error = #expect(throws: ObjectiveError.self) {
            try AdvantageEstimator(named: "gprp")
        }
        #expect(error?.message.contains("nearest: \"grpo\"") == true)
    }
}
