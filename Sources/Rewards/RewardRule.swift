/// A reward that is computed here: a pure function of response and right answer.
///
/// To add one, write a file in `Rules` with its function and its constant, and name the constant in
/// `all`.
package struct RewardRule: RewardFunction {
    /// The name that selects it.
    package let name: String
    /// Values of `data_source` that mean this rule, as in verl's `default_compute_score`.
    package let dataSources: [String]
    /// Response and right answer to score.
    private let rule: @Sendable (_ response: String, _ groundTruth: String) -> Double

    init(
        _ name: String, dataSources: [String] = [],
        rule: @escaping @Sendable (_ response: String, _ groundTruth: String) -> Double
    ) {
        self.name = name
        self.dataSources = dataSources
        self.rule = rule
    }

    /// The registry.
    package static let all: [RewardRule] = [
        .gsm8kStrict, .gsm8kFlexible, .exactMatch, .boxedMath,
    ]

    /// The rule of a name.
    ///
    /// - Throws: when there is none of this name; the message lists those there are.
    package init(named name: String) throws(RewardError) {
        guard let known = Self.all.first(where: { $0.name == name }) else {
            let names = Self.all.map(\.name).joined(separator: ", ")
            throw RewardError("There is no reward called \"\(name)\"; known are \(names).")
        }
        self = known
    }

    /// Scores one response.
    package func score(response: String, groundTruth: String) -> Double {
        rule(response, groundTruth)
    }

    package func score(_ request: RewardRequest) async throws -> RewardScore {
        RewardScore(score: rule(request.response, request.groundTruth))
    }

    package func close() async {}
}

/// The rule that each sample's `data_source` asks for, as verl chooses without a custom reward.
package struct DataSourceReward: RewardFunction {
    /// The choice by `RewardRule.dataSources`.
    package init() {}

    package func score(_ request: RewardRequest) async throws -> RewardScore {
        let rule = try Self.rule(for: request.dataSource, sampleName: request.sampleName)
        return try await rule.score(request)
    }

    package func close() async {}

    /// The rule of a data source, so that a bad row can be met before the first rollout.
    ///
    /// - Throws: when no rule belongs to it; the message lists the sources that have one.
    package static func rule(
        for dataSource: String, sampleName: String
    ) throws(RewardError) -> RewardRule {
        guard let rule = RewardRule.all.first(where: { $0.dataSources.contains(dataSource) }) else {
            let known = RewardRule.all.flatMap(\.dataSources).joined(separator: ", ")
            throw RewardError(
                "\(sampleName): no reward belongs to data_source \"\(dataSource)\"; known are "
                    + "\(known); or choose one for all rows with reward.function="
                    + "\(RewardRule.all.map(\.name).joined(separator: "|")), or your own with "
                    + "custom_reward_function.path.")
        }
        return rule
    }
}
