package import Formats

/// What a model is asked, before it is token ids.
package enum Prompt: Sendable, Equatable {
    /// A conversation for the chat template: objects with `role` and `content`.
    case messages([JSON])
    /// Text that is tokenised as it stands.
    case text(String)

    /// Reads a field of a row: a list of messages, or a text.
    ///
    /// A text becomes the message of a user where the model has a chat template.
    init(_ row: DataRow, key: String, hasChatTemplate: Bool) throws(TrainingError) {
        switch row.fields[key] {
        case .string(let text) where hasChatTemplate:
            self = .messages([["role": "user", "content": .string(text)]])
        case .string(let text):
            self = .text(text)
        case .array(let messages):
            guard hasChatTemplate else {
                throw TrainingError(
                    "\(row.name): '\(key)' is a list of messages, but the model has no chat"
                        + " template: write a text, or set custom_chat_template.")
            }
            guard !messages.isEmpty else {
                throw TrainingError("\(row.name): '\(key)' is an empty list of messages.")
            }
            for message in messages { try Self.check(message, key: key, row: row) }
            self = .messages(messages)
        case nil:
            throw TrainingError(
                "\(row.name): there is no '\(key)' among \(row.fieldNames); data.prompt_key names"
                    + " the field with the prompt.")
        case let other?:
            throw TrainingError(
                "\(row.name): '\(key)' must be a text or a list of messages, but is \(other.kind).")
        }
    }

    private static func check(_ message: JSON, key: String, row: DataRow) throws(TrainingError) {
        guard message["role"]?.string != nil else {
            throw TrainingError("\(row.name): a message of '\(key)' has no 'role'.")
        }
        guard message["content"]?.string != nil || message["tool_calls"] != nil else {
            throw TrainingError(
                "\(row.name): a message of '\(key)' has no 'content' that is a text.")
        }
    }
}

extension DataRow {
    /// The names of the row's fields, as messages list them.
    var fieldNames: String {
        fields.isEmpty ? "no fields" : fields.keys.map { "'\($0)'" }.joined(separator: ", ")
    }

    /// A field that must be a text.
    func text(_ key: String) throws(TrainingError) -> String? {
        switch fields[key] {
        case nil, .null: return nil
        case .string(let text): return text
        case let other?:
            throw TrainingError("\(name): '\(key)' must be a text, but is \(other.kind).")
        }
    }
}
