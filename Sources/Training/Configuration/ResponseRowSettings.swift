package import Formats
import Settings

/// How a row becomes a prompt and the response that is learned.
package struct ResponseRowSettings: Sendable {
    /// Field with the prompt: a text, or a list of messages.
    package let promptKey: String
    /// Field with the response, a text.
    package let responseKey: String
    /// Names within the prompt's field that lead to the prompt; none where it is the field itself.
    package let promptPath: [String]
    /// The same for the response.
    package let responsePath: [String]
    /// Field with a whole conversation, whose last message is the response.
    package let messagesKey: String
    /// Longest prompt with response in tokens.
    package let maxLength: Int
    /// What is cut from a longer row.
    package let truncation: PromptTruncation
    /// What the chat template is given besides the messages.
    package let chatTemplateArguments: JSONObject

    /// Settings made in code; the defaults are those of the keys.
    package init(
        promptKey: String = "prompt", responseKey: String = "response",
        promptPath: [String] = [], responsePath: [String] = [],
        messagesKey: String = "messages", maxLength: Int = 1024,
        truncation: PromptTruncation = .error, chatTemplateArguments: JSONObject = JSONObject()
    ) {
        self.promptPath = promptPath
        self.responsePath = responsePath
        self.promptKey = promptKey
        self.responseKey = responseKey
        self.messagesKey = messagesKey
        self.maxLength = maxLength
        self.truncation = truncation
        self.chatTemplateArguments = chatTemplateArguments
    }

    /// Reads the keys of `data.*` that concern single rows.
    init(_ reader: SettingsReader) throws(SettingsError) {
        promptKey = try reader.string(
            "prompt_key", default: "prompt",
            "Field of a row with the prompt: a text, or a list of chat messages.")
        responseKey = try reader.string(
            "response_key", default: "response", "Field of a row with the response, a text.")
        promptPath = try reader.strings(
            "prompt_dict_keys", default: [],
            "Names within the prompt's field that lead to the prompt.")
        responsePath = try reader.strings(
            "response_dict_keys", default: [],
            "Names within the response's field that lead to the response.")
        messagesKey = try reader.string(
            "messages_key", default: "messages",
            "Field of a row with a whole conversation; its last message is the response.")
        maxLength = try reader.int(
            "max_length", default: 1024, in: .atLeast(2),
            "Longest prompt with response in tokens.")
        truncation = try reader.choice(
            "truncation", default: PromptTruncation.error,
            "What is cut from a row that is too long; error stops the run.")
        chatTemplateArguments = try reader.jsonObject(
            "apply_chat_template_kwargs", "Further values for the chat template.")
    }
}
