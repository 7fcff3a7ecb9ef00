import Settings

/// The model that is trained: the keys `actor_rollout_ref.model.*`, or `model.*` of supervised
/// fine-tuning.
package struct ModelSettings: Sendable {
    /// Folder of a checkpoint in Hugging Face layout.
    package let path: String
    /// Folder with the tokenizer; the checkpoint's own unless set.
    package let tokenizerPath: String
    /// A chat template that replaces the tokenizer's; nil keeps that one.
    package let customChatTemplate: String?
    /// What of the activations is kept for the backward pass.
    package let activationMemory: ActivationMemory
    /// The adapter.
    package let lora: LoRASettings
    /// How the frozen weights are quantised.
    package let quantization: QuantizationSettings

    /// Reads the keys of a model group.
    ///
    /// - Parameters:
    ///   - earlierName: a key that is read as another name of `path`.
    init(_ reader: SettingsReader, earlierName: String? = nil) throws(SettingsError) {
        path = try Self.path(reader, earlierName)
        tokenizerPath =
            try reader.optionalPath(
                "tokenizer_path", "Folder of the tokenizer; null for the model's own.") ?? path
        customChatTemplate = try reader.optionalString(
            "custom_chat_template", "Chat template (Jinja) to use instead of the tokenizer's.")
        activationMemory = try ActivationMemory(reader)
        lora = try LoRASettings(reader)
        quantization = try QuantizationSettings(reader, lora: lora)
        try Self.declareOthers(reader)
    }

    private static func path(
        _ reader: SettingsReader, _ earlierName: String?
    ) throws(SettingsError) -> String {
        let help = "Folder of a checkpoint in Hugging Face layout."
        guard let earlierName,
            let earlier = try reader.optionalPath(earlierName, "An earlier name of path.")
        else { return try reader.requiredPath("path", help) }
        let path = try reader.derived().path("path", default: earlier, help)
        guard path == earlier else {
            throw reader.conflict(["path", earlierName], "both name the model, so keep one")
        }
        return path
    }

    /// Keys of a model that have nothing to set here.
    static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored("use_shm", because: Reason.mapped)
        reader.ignored("trust_remote_code", because: "code of a checkpoint is never run")
        reader.ignored("use_remove_padding", because: Reason.packed)
        reader.ignored(
            ["use_liger", "use_fused_kernels", "fused_kernel_options"],
            because: "norms, activations and the output head are always fused")
        reader.ignored("strategy", because: Reason.oneCopy)
        try reader.ignoredFSDP("fsdp_config")
        reader.ignored("tiled_mlp", because: "memory of the MLP is bounded by the micro-batch")
        reader.ignored(
            "enable_activation_offload", because: "there is no other memory to move them to")
        try reader.unsupported(
            "external_lib", allowed: [nil], because: "Python modules cannot be loaded")
        try reader.unsupported(
            "hf_config_path", allowed: [nil], because: "the model's own config.json is read")
        try reader.unsupported(
            "mtp.enable", allowed: [false], because: "one token is predicted at a time")
        reader.ignored("mtp", because: "one token is predicted at a time")
        try reader.unsupported(
            "override_config", allowed: [nil],
            because: "the model is built as its config.json says; change that file")
    }
}
