extension Tokenizer {
    /// The text of a conversation by the model's own chat template; see `ChatTemplate.render`.
    /// Throws when the model has none.
    package func renderChat(
        messages: [JSON], tools: [JSON]? = nil, addGenerationPrompt: Bool = true,
        extra: [String: JSON] = [:]
    ) throws(FormatError) -> String {
        guard let chatTemplate else {
            throw FormatError(
                "the model has no chat template: neither a chat_template.jinja nor a"
                    + " \"chat_template\" in tokenizer_config.json")
        }
        var variables = extra
        if let padToken, variables["pad_token"] == nil {
            variables["pad_token"] = .string(padToken)
        }
        return try chatTemplate.render(
            messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt,
            extra: variables, bosToken: bosToken, eosToken: eosToken)
    }
}
