import ArgumentParser
import Formats

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Turn texts into token ids, or back.",
        discussion: """
            {"text"} becomes {"ids"}; with --decode {"ids"} becomes {"text"}; with --chat \
            {"messages", "tools"?, "add_generation_prompt"?} becomes {"text"}.
            """)

    @Option(help: "The model's folder, in Hugging Face layout.")
    var model: String

    @Option(help: "A JSON-lines file.")
    var input: String

    @Option(help: "The JSON-lines file to write; standard output unless given.")
    var output: String?

    @Flag(help: "Turn ids into text.")
    var decode = false

    @Flag(help: "Lay conversations out by the model's chat template.")
    var chat = false

    @Flag(help: "With --decode, leave special tokens out.")
    var skipSpecialTokens = false

    @Flag(help: "Put the tokens around a text that the tokenizer adds by default.")
    var addSpecialTokens = false

    func validate() throws {
        guard !(decode && chat) else { throw ValidationError("Give --decode or --chat, not both.") }
        guard decode || !skipSpecialTokens else {
            throw ValidationError("--skip-special-tokens has a meaning with --decode only.")
        }
        guard !(decode || chat) || !addSpecialTokens else {
            throw ValidationError("--add-special-tokens has a meaning for texts only.")
        }
    }

    func run() throws {
        let text = try TextModel(directory: model, vocabularySize: nil)
        var rows = try RowOutput(path: output)
        for row in try inputRows(input) { try rows.write(converted(row, text)) }
        try rows.finish()
    }

    private func converted(_ row: InputRow, _ text: TextModel) throws -> JSON {
        if chat { return ["text": .string(try rendered(row, text))] }
        if decode {
            guard let value = row.fields["ids"] else { throw row.error("there is no \"ids\"") }
            let ids = value.array?.isEmpty == true ? [] : try row.ids(value, key: "ids")
            do {
                return [
                    "text": .string(
                        try text.tokenizer.decode(ids, skipSpecialTokens: skipSpecialTokens))
                ]
            } catch {
                throw row.error("\(error)")
            }
        }
        let ids = text.tokenizer.encode(
            try row.text("text"), addSpecialTokens: addSpecialTokens)
        return ["ids": .array(ids.map { .integer(Int($0)) })]
    }

    private func rendered(_ row: InputRow, _ text: TextModel) throws -> String {
        guard let messages = row.fields["messages"] else {
            throw row.error("there is no \"messages\"")
        }
        var tools: [JSON]?
        if let value = row.fields["tools"], value != .null {
            guard let list = value.array else { throw row.error("\"tools\" must be a list") }
            tools = list
        }
        var addsPrompt = false
        if let value = row.fields["add_generation_prompt"] {
            guard let flag = value.bool else {
                throw row.error("\"add_generation_prompt\" must be true or false")
            }
            addsPrompt = flag
        }
        return try text.render(
            messages: row.messages(messages, key: "messages"), tools: tools,
            addGenerationPrompt: addsPrompt, row)
    }
}
