import Settings

/// The model of supervised fine-tuning: the keys `model.*`.
package struct SFTModelSettings: Sendable {
    /// Folder of a checkpoint in Hugging Face layout.
    package let path: String
    /// Folder with the tokenizer; the checkpoint's own unless set.
    package let tokenizerPath: String
    /// A chat template that replaces the tokenizer's; nil keeps that one.
    package let customChatTemplate: String?
    /// Whether a block's activations are computed again in the backward pass rather than kept.
    package let gradientCheckpointing: Bool
    /// The adapter.
    package let lora: LoRASettings

    /// Reads `model.*`; `partial_pretrain` is verl's earlier name of `path`.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let earlier = try reader.optionalPath("partial_pretrain", "An earlier name of path.")
        let help = "Folder of a checkpoint in Hugging Face layout."
        if let earlier {
            path = try reader.path("path", default: earlier, help)
        } else {
            path = try reader.requiredPath("path", help)
        }
        if let earlier, earlier != path {
            throw reader.conflict(
                ["path", "partial_pretrain"], "both name the model, so keep one")
        }
        tokenizerPath =
            try reader.optionalPath(
                "tokenizer_path", "Folder of the tokenizer; null for the model's own.") ?? path
        customChatTemplate = try reader.optionalString(
            "custom_chat_template", "Chat template (Jinja) to use instead of the tokenizer's.")
        gradientCheckpointing = try reader.bool(
            "enable_gradient_checkpointing", default: true,
            "Compute a block's activations again in the backward pass: less memory, more time.")
        lora = try LoRASettings(reader)
        try ModelSettings.declareOthers(reader)
        reader.ignored(
            ["fsdp_config", "strategy"],
            because: "one process holds the one copy of the weights: nothing to shard or offload")
    }
}
