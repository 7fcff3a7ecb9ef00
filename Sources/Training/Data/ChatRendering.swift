import Formats

extension PromptEncoder {
    /// The encoder of a model's tokenizer and chat template.
    ///
    /// - Parameters:
    ///   - customTemplate: a template that replaces the tokenizer's; nil keeps that one.
    init(_ tokenizer: Tokenizer, customTemplate: String?) throws {
        var template = tokenizer.chatTemplate
        if let customTemplate {
            template = try ChatTemplate(source: customTemplate, name: "custom_chat_template")
        }
        var rendering: Rendering?
        if let template {
            rendering = { messages, addsPrompt, arguments in
                let extra = arguments.map { ($0.key, $0.value) }
                return try template.render(
                    messages: messages, addGenerationPrompt: addsPrompt,
                    extra: Dictionary(uniqueKeysWithValues: extra),
                    bosToken: tokenizer.bosToken, eosToken: tokenizer.eosToken)
            }
        }
        try self.init(tokenizer, rendering: rendering)
    }
}
