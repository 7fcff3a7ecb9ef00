package import Formats

/// Turns prompts and responses into token ids; a tokenizer seen from the data.
package struct PromptEncoder: Sendable {
    /// The ids of a conversation, up to where the model's answer starts; nil without a template.
    ///
    /// Takes the messages and further values for the template.
    package let messages: (@Sendable ([JSON], JSONObject) throws -> [Int32])?
    /// The ids of a text that a sequence starts with.
    package let text: @Sendable (String) throws -> [Int32]
    /// The ids of a text that goes on with a sequence.
    package let continuation: @Sendable (String) throws -> [Int32]
    /// The token that ends a response.
    package let endOfTurn: Int32?

    /// Makes an encoder of its parts.
    package init(
        messages: (@Sendable ([JSON], JSONObject) throws -> [Int32])?,
        text: @escaping @Sendable (String) throws -> [Int32],
        continuation: @escaping @Sendable (String) throws -> [Int32],
        endOfTurn: Int32?
    ) {
        self.messages = messages
        self.text = text
        self.continuation = continuation
        self.endOfTurn = endOfTurn
    }

    /// The ids of a row's prompt.
    func encode(_ prompt: Prompt, _ arguments: JSONObject, row: DataRow) throws -> [Int32] {
        let ids: [Int32]
        do {
            switch prompt {
            case .text(let text): ids = try self.text(text)
            case .messages(let list):
                guard let messages else { preconditionFailure("Prompt checked the template.") }
                ids = try messages(list, arguments)
            }
        } catch let error as FormatError {
            throw TrainingError("\(row.name): \(error)")
        }
        guard !ids.isEmpty else {
            throw TrainingError("\(row.name): the prompt is empty, so there is nothing to answer.")
        }
        return ids
    }
}
