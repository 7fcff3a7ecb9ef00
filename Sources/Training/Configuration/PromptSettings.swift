package import Formats
import Settings

/// How a row of a file becomes a prompt of token ids.
package struct PromptSettings: Sendable {
    /// Field with the prompt: a text, or a list of messages (`data.prompt_key`).
    package let promptKey: String
    /// Field that says where a row is from, which chooses its reward (`data.reward_fn_key`).
    package let sourceKey: String
    /// Field with the expected answer in rows without verl's `reward_model` (`data.answer_key`).
    package let answerKey: String
    /// Longest prompt in tokens.
    package let maxLength: Int
    /// What happens to a longer prompt.
    package let truncation: PromptTruncation
    /// Whether longer prompts are left out, which comes before any truncation.
    package let filterOverlong: Bool
    /// What the chat template is given besides the messages, such as `enable_thinking`.
    package let chatTemplateArguments: JSONObject

    /// Settings made in code; the defaults are those of the keys.
    package init(
        promptKey: String = "prompt", sourceKey: String = "data_source",
        answerKey: String = "answer", maxLength: Int = 512, truncation: PromptTruncation = .error,
        filterOverlong: Bool = false, chatTemplateArguments: JSONObject = JSONObject()
    ) {
        self.promptKey = promptKey
        self.sourceKey = sourceKey
        self.answerKey = answerKey
        self.maxLength = maxLength
        self.truncation = truncation
        self.filterOverlong = filterOverlong
        self.chatTemplateArguments = chatTemplateArguments
    }

    /// Reads the keys of `data.*` that concern single rows.
    init(_ reader: SettingsReader) throws(SettingsError) {
        promptKey = try reader.string(
            "prompt_key", default: "prompt",
            "Field of a row with the prompt: a text, or a list of chat messages.")
        sourceKey = try reader.string(
            "reward_fn_key", default: "data_source",
            "Field of a row that says where it is from; the reward is chosen by it.")
        answerKey = try reader.string(
            "answer_key", default: "answer",
            "Field with the expected answer in rows that have no 'reward_model'.")
        maxLength = try reader.int(
            "max_prompt_length", default: 512, in: .atLeast(1), "Longest prompt in tokens.")
        truncation = try reader.choice(
            "truncation", default: PromptTruncation.error,
            "What is cut from a prompt that is too long; error stops the run.")
        filterOverlong = try reader.bool(
            "filter_overlong_prompts", default: false, "Leave out prompts that are too long.")
        chatTemplateArguments = try reader.jsonObject(
            "apply_chat_template_kwargs", "Further values for the chat template.")
    }
}
