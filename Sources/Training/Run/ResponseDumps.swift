package import Formats
import Rewards
import Rollouts

/// The responses of each step and validation as verl writes them, one JSON line each:
/// `{"input", "output", "gts", "score", "step", ...}`, and the token ids besides.
package struct ResponseDumps {
    private let rolloutFolder: String?
    private let validationFolder: String?
    private let tokenizer: Tokenizer

    /// Makes the folders that the settings ask for.
    package init(_ settings: TrainerSettings, tokenizer: Tokenizer) throws {
        rolloutFolder = settings.rolloutFolder
        validationFolder = settings.validationFolder
        self.tokenizer = tokenizer
        for folder in [rolloutFolder, validationFolder].compactMap(\.self) {
            try makeFolders(folder)
        }
    }

    /// Writes the responses of one training step to `STEP.jsonl`.
    package func writeRollouts(_ responses: [ScoredResponse], step: Int) throws {
        try write(responses, step: step, to: rolloutFolder)
    }

    /// Writes the responses of one validation to `STEP.jsonl`.
    package func writeValidation(_ responses: [ScoredResponse], step: Int) throws {
        try write(responses, step: step, to: validationFolder)
    }

    private func write(_ responses: [ScoredResponse], step: Int, to folder: String?) throws {
        guard let folder else { return }
        var text = ""
        for response in responses { text += try row(response, step: step).serialized() + "\n" }
        try AtomicFile.write(text, to: "\(folder)/\(step).jsonl")
    }

    private func row(_ response: ScoredResponse, step: Int) throws -> JSON {
        let completion = response.completion
        let input = try tokenizer.decode(response.row.promptIDs, skipSpecialTokens: true)
        var fields: JSONObject = [
            "input": .string(input), "output": .string(response.text),
            "gts": .string(response.row.groundTruth), "score": .number(response.reward.score),
            "step": .integer(step),
        ]
        for (name, value) in response.reward.extras.sorted(by: { $0.key < $1.key }) {
            fields[name] = .number(value)
        }
        fields["prompt_ids"] = .array(response.row.promptIDs.map { .integer(Int($0)) })
        fields["response_ids"] = .array(completion.tokens.map { .integer(Int($0)) })
        fields["log_probs"] = .array(completion.logProbabilities.map { .number(Double($0)) })
        fields["finish_reason"] = .string(completion.finishReason.rawValue)
        return .object(fields)
    }
}
