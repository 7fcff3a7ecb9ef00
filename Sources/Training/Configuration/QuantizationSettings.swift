import Formats
import Models
import Settings
package import Tensors

/// How the frozen weights of a model are quantised: the keys `quantization` and
/// `quantization_cache` of its group.
package struct QuantizationSettings: Sendable, Equatable {
    /// nil leaves the weights as the checkpoint has them.
    package let kind: Quantization?
    /// Folder where quantised weights are kept; nil to quantise at each start.
    package let cacheFolder: String?

    /// Reads the keys below a model's group.
    ///
    /// - Parameters:
    ///   - lora: the adapter of the same group.
    ///   - other: the actor's, for a critic.
    ///   - sharesBase: whether the critic's checkpoint is the actor's, which then serves both.
    /// - Throws: also when the whole model is to be trained.
    init(
        _ reader: SettingsReader, lora: LoRASettings, inheriting other: Self? = nil,
        sharesBase: Bool = false
    ) throws(SettingsError) {
        let inherited = sharesBase && lora.isOn ? other?.kind : nil
        let words = "as actor_rollout_ref.model.quantization, on the actor's checkpoint"
        let name = try (other == nil ? reader : reader.derived(words)).optionalChoice(
            "quantization", default: inherited?.rawValue,
            of: Quantization.allCases.map(\.rawValue),
            "How the frozen weights are quantised at load, for rollouts, reference and training"
                + " alike: int8, nf4 (that of QLoRA) or int4; null leaves them as the checkpoint"
                + " has them.")
        kind = name.flatMap(Quantization.init(rawValue:))
        let standard = userCacheFolder(environment: reader.environment)
        cacheFolder =
            try reader
            .derived(
                other == nil
                    ? "$XDG_CACHE_HOME/lorikeet, or ~/.cache/lorikeet"
                    : "as actor_rollout_ref.model.quantization_cache"
            ).optionalPath(
                "quantization_cache", default: other == nil ? standard : other?.cacheFolder,
                "Folder where quantised weights are kept for the next start; null to quantise them"
                    + " at each.")
        try check(reader, lora)
    }

    private func check(_ reader: SettingsReader, _ lora: LoRASettings) throws(SettingsError) {
        guard kind != nil else {
            reader.unusedIfSet(
                ["quantization_cache"], because: "quantization is null, so nothing is quantised")
            return
        }
        guard !lora.isOn else { return }
        throw reader.conflict(
            ["quantization", "lora_rank"],
            "quantised weights cannot be trained, so set the rank of an adapter on them, such as"
                + " lora_rank=32, or leave quantization out")
    }
}
