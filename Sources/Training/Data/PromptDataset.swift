package import Formats

/// One prompt with what its answers are scored by.
package struct PromptRow: Sendable {
    /// The place among the rows that are used, from 0.
    package let index: Int
    /// The row as messages call it: "train.jsonl line 12".
    package let name: String
    /// What is asked.
    package let prompt: Prompt
    /// Its token ids, `[T]`, no more than `data.max_prompt_length`.
    package let promptIDs: [Int32]
    /// Where the row is from (`data_source`), which chooses the reward; "unknown" where not said.
    package let dataSource: String
    /// The right answer (`reward_model.ground_truth` or `answer`), as text.
    package let groundTruth: String
    /// The same as the row has it, perhaps a number or a list.
    package let groundTruthValue: JSON
    /// Anything else for the reward (`extra_info`); null where there is nothing.
    package let extraInfo: JSON
}

/// The prompts of a run, read and tokenised once.
///
/// A row is verl's, `{"data_source", "prompt": [messages], "reward_model": {"ground_truth"},
/// "extra_info"}`, or plain, `{"prompt": "text", "answer": "text"}`.
package struct PromptDataset: Sendable {
    /// The rows in the order of the files.
    package let rows: [PromptRow]
    /// Rows left out because their prompt is too long (`data.filter_overlong_prompts`).
    package let overlongCount: Int
    /// The files, as messages call them together.
    let name: String

    /// Reads files.
    ///
    /// - Parameters:
    ///   - limit: how many rows are used; nil for all.
    ///   - seed: chooses rows by chance where there is a limit; nil takes the first ones.
    /// - Throws: one sentence that names the file, and the line where one is to blame.
    package init(
        files: [String], _ settings: PromptSettings, _ encoder: PromptEncoder, limit: Int? = nil,
        seed: Int? = nil
    ) throws {
        let chosen = RowOrder.choose(try DataFile.rows(of: files), limit: limit, seed: seed)
        var rows: [PromptRow] = []
        rows.reserveCapacity(chosen.count)
        for row in chosen {
            if let prompt = try Self.read(row, index: rows.count, settings, encoder) {
                rows.append(prompt)
            }
        }
        self.rows = rows
        overlongCount = chosen.count - rows.count
        name = files.joined(separator: ", ")
        guard !rows.isEmpty else {
            throw TrainingError(
                "\(name): every prompt has more than data.max_prompt_length="
                    + "\(settings.maxLength) tokens, so no row is left.")
        }
    }

    /// A row as a prompt, or nil where it is to be left out.
    private static func read(
        _ row: DataRow, index: Int, _ settings: PromptSettings, _ encoder: PromptEncoder
    ) throws -> PromptRow? {
        let prompt = try Prompt(
            row, key: settings.promptKey, hasChatTemplate: encoder.messages != nil)
        let all = try encoder.encode(prompt, settings.chatTemplateArguments, row: row)
        if settings.filterOverlong, all.count > settings.maxLength { return nil }
        guard let ids = settings.truncation.apply(to: all, maxLength: settings.maxLength) else {
            throw TrainingError(
                "\(row.name): the prompt has \(all.count) tokens, more than data.max_prompt_length="
                    + "\(settings.maxLength): raise it, set data.filter_overlong_prompts=true, or"
                    + " choose what data.truncation cuts.")
        }
        let answer = try groundTruth(row, settings)
        return PromptRow(
            index: index, name: row.name, prompt: prompt, promptIDs: ids,
            dataSource: try row.text(settings.sourceKey) ?? "unknown",
            groundTruth: answer.string ?? answer.serialized(), groundTruthValue: answer,
            extraInfo: row.fields["extra_info"] ?? .null)
    }

    private static func groundTruth(_ row: DataRow, _ settings: PromptSettings)
        throws(TrainingError) -> JSON
    {
        let found = row.fields["reward_model"]?["ground_truth"] ?? row.fields[settings.answerKey]
        switch found {
        case nil, .null:
            throw TrainingError(
                "\(row.name): there is no answer to score by: neither 'reward_model' with"
                    + " 'ground_truth' nor '\(settings.answerKey)' (data.answer_key) is among"
                    + " \(row.fieldNames).")
        case let answer?: return answer
        }
    }
}
