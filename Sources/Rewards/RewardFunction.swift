package import Formats

/// One response to be scored.
package struct RewardRequest: Sendable {
    /// The sample as messages call it: "train.jsonl line 12".
    package let sampleName: String
    /// Where the sample comes from (`data_source` of its row), for example "openai/gsm8k".
    package let dataSource: String
    /// The decoded response, without the prompt.
    package let response: String
    /// The right answer as text (`reward_model.ground_truth` of the row).
    package let groundTruth: String
    /// The right answer as the row has it, perhaps a number or a list; what a user's reward is given.
    package let groundTruthValue: JSON
    /// Anything else of the row (`extra_info`); null when there is nothing.
    package let extraInfo: JSON

    /// A request with everything that a reward may look at.
    ///
    /// - Parameter groundTruthValue: nil where the right answer is a text.
    package init(
        sampleName: String, dataSource: String, response: String, groundTruth: String,
        groundTruthValue: JSON? = nil, extraInfo: JSON = .null
    ) {
        self.sampleName = sampleName
        self.dataSource = dataSource
        self.response = response
        self.groundTruth = groundTruth
        self.groundTruthValue = groundTruthValue ?? .string(groundTruth)
        self.extraInfo = extraInfo
    }
}

/// What a response is worth.
package struct RewardScore: Sendable, Equatable {
    /// The reward, finite; its scale is the reward's own, most use 0 to 1.
    package let score: Double
    /// Other numbers that the reward gave, by name ("acc"): metrics of validation.
    package let extras: [String: Double]

    /// A score with nothing else.
    package init(score: Double, extras: [String: Double] = [:]) {
        self.score = score
        self.extras = extras
    }
}

/// Text to score.
package protocol RewardFunction: Sendable {
    /// Scores one response; may be called from many tasks at once.
    ///
    /// - Throws: `RewardError` that names the sample, or `CancellationError`.
    func score(_ request: RewardRequest) async throws -> RewardScore

    /// Ends whatever the reward keeps running; no score may be asked for afterwards.
    func close() async
}
