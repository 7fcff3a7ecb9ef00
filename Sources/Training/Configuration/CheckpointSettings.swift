import Settings

/// What a checkpoint holds beside the adapter (or, without one, the model): `...checkpoint.*`.
package struct CheckpointSettings: Sendable, Equatable {
    /// Whether the optimizer's state is saved, without which a run cannot go on exactly.
    package let savesOptimizer: Bool

    /// Reads the keys of a `checkpoint` group.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let contents = try reader.choices(
            "save_contents", default: ["model", "optimizer", "extra"],
            of: ["model", "optimizer", "extra", "hf_model"],
            "What a checkpoint holds; the step and the place in the data are always saved. A model"
                + " is always in Hugging Face or PEFT layout, so hf_model means model.")
        savesOptimizer = contents.contains("optimizer")
        guard contents.contains("model") || contents.contains("hf_model") else {
            throw reader.invalid("save_contents", "a checkpoint without 'model' is of no use")
        }
        reader.ignored("load_contents", because: "all that a checkpoint holds is loaded")
        reader.ignored("async_save", because: "an adapter is saved in a moment")
        reader.ignored("save_lora_only", because: "the frozen base model is never saved again")
        reader.ignored("strict", because: "a checkpoint that does not fit is always refused")
        reader.ignored("mbridge_config", because: "it belongs to Megatron")
    }
}
