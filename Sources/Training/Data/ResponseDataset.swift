import Formats

/// One prompt with the response that is learned.
package struct ResponseRow: Sendable {
    /// The row as messages call it: "train.jsonl line 12".
    package let name: String
    /// Token ids that are read only.
    package let promptIDs: [Int32]
    /// Token ids that are learned; the last one ends the turn, unless it was cut off.
    package let responseIDs: [Int32]
}

/// The rows of supervised fine-tuning, read and tokenised once.
///
/// A row is `{"prompt": text or messages, "response": text}`, `{"messages": [...], "response":
/// text}`, or `{"messages": [...]}` whose last message is the assistant's. Only that response and
/// the token that ends it are learned.
package struct ResponseDataset: Sendable {
    /// The rows in the order of the files.
    package let rows: [ResponseRow]
    /// The files, as messages call them together.
    let name: String

    /// Reads files.
    ///
    /// - Parameters:
    ///   - limit: how many rows are used, from the first on; nil for all.
    /// - Throws: one sentence that names the file, and the line where one is to blame.
    package init(
        files: [String], _ settings: ResponseRowSettings, _ encoder: PromptEncoder,
        limit: Int? = nil
    ) throws {
        name = files.joined(separator: ", ")
        guard let endOfTurn = encoder.endOfTurn else {
            throw TrainingError(
                "The tokenizer has no token that ends a response (eos_token), so a model cannot"
                    + " learn to stop.")
        }
        let chosen = RowOrder.choose(try DataFile.rows(of: files), limit: limit, seed: nil)
        rows = try chosen.map { try Self.read($0, settings, encoder, endOfTurn: endOfTurn) }
    }

    private static func read(
        _ row: DataRow, _ settings: ResponseRowSettings, _ encoder: PromptEncoder,
        endOfTurn: Int32
    ) throws -> ResponseRow {
        let (prompt, response) = try parts(of: row, settings, encoder)
        let promptIDs = try encoder.encode(prompt, settings.chatTemplateArguments, row: row)
        let responseIDs = try encoder.continuation(response) + [endOfTurn]
        return try truncate(row, promptIDs, responseIDs, settings)
    }

    private static func parts(
        of row: DataRow, _ settings: ResponseRowSettings, _ encoder: PromptEncoder
    ) throws(TrainingError) -> (Prompt, String) {
        let hasConversation = row.fields[settings.messagesKey] != nil
        let key = hasConversation ? settings.messagesKey : settings.promptKey
        let opened = hasConversation ? row : try row.opening(key, settings.promptPath)
        let prompt = try Prompt(opened, key: key, hasChatTemplate: encoder.messages != nil)
        let answered = try row.opening(settings.responseKey, settings.responsePath)
        if let response = try answered.text(settings.responseKey) { return (prompt, response) }
        guard hasConversation, case .messages(let messages) = prompt else {
            throw TrainingError(
                "\(row.name): there is no '\(settings.responseKey)' (data.response_key) among"
                    + " \(row.fieldNames).")
        }
        guard let last = messages.last, last["role"]?.string == "assistant",
            let response = last["content"]?.string, messages.count > 1
        else {
            throw TrainingError(
                "\(row.name): the last message of '\(key)' must be an assistant's answer to the"
                    + " ones before it.")
        }
        return (.messages(Array(messages.dropLast())), response)
    }

    /// Cuts what is too long; places are cut rather than ids, to tell prompt from response after.
    private static func truncate(
        _ row: DataRow, _ prompt: [Int32], _ response: [Int32], _ settings: ResponseRowSettings
    ) throws(TrainingError) -> ResponseRow {
        let ids = prompt + response
        let places = ids.indices.map { Int32($0) }
        guard let kept = settings.truncation.apply(to: places, maxLength: settings.maxLength) else {
            throw TrainingError(
                "\(row.name): prompt and response have \(ids.count) tokens, more than"
                    + " data.max_length=\(settings.maxLength): raise it, or choose what"
                    + " data.truncation cuts.")
        }
        let promptIDs = kept.filter { Int($0) < prompt.count }.map { ids[Int($0)] }
        let responseIDs = kept.filter { Int($0) >= prompt.count }.map { ids[Int($0)] }
        guard !promptIDs.isEmpty, !responseIDs.isEmpty else {
            let part = promptIDs.isEmpty ? "prompt" : "response"
            throw TrainingError(
                "\(row.name): nothing of the \(part) is left when cut to data.max_length="
                    + "\(settings.maxLength): raise it, or leave the row out.")
        }
        return ResponseRow(name: row.name, promptIDs: promptIDs, responseIDs: responseIDs)
    }
}
