import Formats
import Models

/// The model's folder as the data commands see it: tokenizer, chat template.
struct TextModel {
    let tokenizer: Tokenizer
    /// Whether a prompt that is a text is what a user says, rather than text to be continued.
    private let textIsMessage: Bool

    init(directory: String, vocabularySize: Int?, textIsMessage: Bool = false) throws {
        self.textIsMessage = textIsMessage
        tokenizer = try Tokenizer(directory: directory)
        if let vocabularySize { try tokenizer.checkFits(vocabularySize: vocabularySize) }
    }

    /// The prompt of a row: `prompt_ids`, `messages`, or `prompt`, which is a text or a list of
    /// messages.
    func promptIDs(_ row: InputRow) throws -> [Int32] {
        if let value = row.fields["prompt_ids"] { return try row.ids(value, key: "prompt_ids") }
        let ids = try encodedPrompt(row)
        guard !ids.isEmpty else { throw row.error("the prompt is empty") }
        return ids
    }

    private func encodedPrompt(_ row: InputRow) throws -> [Int32] {
        if let value = row.fields["messages"] {
            return try encode(messages: row.messages(value, key: "messages"), row)
        }
        switch row.fields["prompt"] {
        case .string(let text) where textIsMessage:
            return try encode(messages: [["role": "user", "content": .string(text)]], row)
        case .string(let text): return tokenizer.encode(text, addSpecialTokens: true)
        case .array(let messages): return try encode(messages: messages, row)
        case nil: throw row.error("there is no \"prompt_ids\", \"prompt\" or \"messages\"")
        default: throw row.error("\"prompt\" must be a text or a list of messages")
        }
    }

    private func encode(messages: [JSON], _ row: InputRow) throws -> [Int32] {
        let text = try render(
            messages: messages, tools: nil, addGenerationPrompt: true, row)
        return tokenizer.encode(text)
    }

    /// A conversation as the model's chat template lays it out.
    func render(
        messages: [JSON], tools: [JSON]?, addGenerationPrompt: Bool, _ row: InputRow
    ) throws -> String {
        guard let template = tokenizer.chatTemplate else {
            throw row.error("the model has no chat template; give a \"prompt\" instead")
        }
        do {
            return try template.render(
                messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt,
                extra: [:], bosToken: tokenizer.bosToken, eosToken: tokenizer.eosToken)
        } catch {
            throw row.error("\(error)")
        }
    }
}

/// One line of an input file.
struct InputRow {
    /// The row as messages call it: "in.jsonl line 3".
    let name: String
    let fields: JSONObject

    init(name: String, _ value: JSON) throws(CommandError) {
        self.name = name
        guard case .object(let fields) = value else {
            throw CommandError("\(name): a row must be a JSON object, but this is \(value.kind).")
        }
        self.fields = fields
    }

    func error(_ sentence: String) -> CommandError {
        CommandError("\(name): \(sentence).")
    }

    /// A list of token ids.
    func ids(_ value: JSON, key: String) throws(CommandError) -> [Int32] {
        guard let items = value.array, !items.isEmpty else {
            throw error("\"\(key)\" must be a list of at least one token id")
        }
        var ids: [Int32] = []
        for item in items {
            guard let number = item.int, let id = Int32(exactly: number), id >= 0 else {
                throw error("\"\(key)\" holds \(item.serialized()), which is no token id")
            }
            ids.append(id)
        }
        return ids
    }

    /// Checks that a model can take a row's token ids, and `room` more after them.
    func check(_ ids: [Int32], _ config: DecoderConfig, room: Int = 0) throws(CommandError) {
        if let id = ids.first(where: { $0 >= config.vocabularySize }) {
            throw error(
                "the token id \(id) is beyond the model's vocabulary of \(config.vocabularySize)")
        }
        guard ids.count + room <= config.maxPositions else {
            let reason = room > 0 ? ", which leaves no room for an answer" : ""
            throw error(
                "it has \(ids.count) tokens, but the model has positions for "
                    + "\(config.maxPositions)\(reason)")
        }
    }

    /// A list of messages.
    func messages(_ value: JSON, key: String) throws(CommandError) -> [JSON] {
        guard let list = value.array, !list.isEmpty else {
            throw error("\"\(key)\" must be a list of at least one message")
        }
        return list
    }

    /// A field that must be there and be a text.
    func text(_ key: String) throws(CommandError) -> String {
        guard let text = fields[key]?.string else {
            throw error("there is no \"\(key)\" that is a text")
        }
        return text
    }
}

/// All rows of an input file.
func inputRows(_ path: String, limit: Int? = nil) throws -> [InputRow] {
    var rows: [InputRow] = []
    var reader = try JSONLinesReader(path: path)
    while rows.count < limit ?? .max, let line = try reader.next() {
        rows.append(try InputRow(name: "\(path) line \(line.number)", line.value))
    }
    guard !rows.isEmpty else { throw CommandError("\(path) has no rows.") }
    return rows
}

/// Why a command cannot do what was asked, as one sentence.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
