/// A model's chat template: a conversation to the text the model was trained to go on from.
///
/// The language is the part of Jinja that chat templates use, rendered as transformers renders it.
package struct ChatTemplate: Sendable {
    private let statements: [TemplateStatement]
    private let name: String

    /// Reads a template; `name` is the file it comes from, for messages.
    /// Throws when the template is not well formed, with the line.
    package init(source: String, name: String) throws(FormatError) {
        statements = try TemplateParser.parse(source, name: name)
        self.name = name
    }

    /// The text of a conversation.
    ///
    /// - Parameters:
    ///   - messages: objects with `role` and `content`, and whatever else the template reads.
    ///   - tools: descriptions of functions the model may call; nil is the template's `none`.
    ///   - addGenerationPrompt: whether the text ends with the beginning of the model's answer.
    ///   - extra: further variables (`enable_thinking`, ...); they win over the others.
    ///   - bosToken: the template's `bos_token`; nil leaves it undefined.
    ///   - eosToken: the template's `eos_token`; nil leaves it undefined.
    ///
    /// Throws with the template's line when it raises an exception, whose text the error has, or
    /// does what this program cannot.
    package func render(
        messages: [JSON], tools: [JSON]? = nil, addGenerationPrompt: Bool,
        extra: [String: JSON] = [:], bosToken: String? = nil, eosToken: String? = nil
    ) throws(FormatError) -> String {
        try render(
            messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt,
            extra: extra, bosToken: bosToken, eosToken: eosToken, clock: .system)
    }

    /// The same at another time than the present.
    func render(
        messages: [JSON], tools: [JSON]?, addGenerationPrompt: Bool, extra: [String: JSON],
        bosToken: String?, eosToken: String?, clock: TemplateClock
    ) throws(FormatError) -> String {
        var variables: [String: TemplateValue] = [
            "messages": TemplateValue(.array(messages)),
            "tools": tools.map { TemplateValue(.array($0)) } ?? .none,
            "documents": .none,
            "add_generation_prompt": .bool(addGenerationPrompt),
        ]
        if let bosToken { variables["bos_token"] = .string(bosToken) }
        if let eosToken { variables["eos_token"] = .string(eosToken) }
        for (name, value) in extra { variables[name] = TemplateValue(value) }
        var interpreter = TemplateInterpreter(name: name, variables: variables, clock: clock)
        return try interpreter.run(statements)
    }
}
