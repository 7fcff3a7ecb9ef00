import Settings

/// What the KL is measured against; each is a view of the same base weights.
package enum ReferenceChoice: Sendable, Equatable {
    /// The model without any adapter, as in verl.
    case base
    /// The model as training began: with the adapter of `lora_adapter_path`, if there is one.
    case initial
    /// A moving average of the trained adapter, which keeps `decay` of itself at each step.
    case average(decay: Double)
    /// The adapter in a folder.
    case adapter(String)
}

/// The reference of the KL: the keys `actor_rollout_ref.ref.*`.
package struct ReferenceSettings: Sendable {
    package let choice: ReferenceChoice
    /// How many samples are computed at once.
    package let microBatch: MicroBatchSettings

    /// Reads `actor_rollout_ref.ref.*`.
    init(_ reader: SettingsReader, actor: MicroBatchSettings) throws(SettingsError) {
        choice = try Self.choice(reader)
        microBatch = try MicroBatchSettings(reader, .logProbabilities, inherited: actor)
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        reader.ignored("model", because: "the reference is a view of the trained model's base")
        reader.ignoredEngines()
        try reader.ignoredFSDP("fsdp_config")
        reader.ignoredHead()
        reader.ignored("pad_to_length", because: Reason.packed)
        reader.ignored("profiler", because: Reason.profiler)
        reader.ignored("rollout_n", because: Reason.internals)
        reader.ignored("ulysses_sequence_parallel_size", because: Reason.oneProcess)
        try reader.refuseRouterReplay()
    }

    private static func choice(_ reader: SettingsReader) throws(SettingsError) -> ReferenceChoice {
        let adapter = try reader.path(
            "adapter", default: "base",
            "What the KL is measured against: base, initial (the adapter that training began"
                + " with), ema (a moving average of the trained one), or an adapter's folder.")
        let usualDecay = 0.99
        let decay = try reader.double(
            "ema_decay", default: usualDecay, in: .between(0, 1),
            "Share of itself that the moving average keeps at each step.")
        if decay != usualDecay, adapter != "ema" {
            throw reader.conflict(
                ["ema_decay", "adapter"], "the first is for a moving average, so set adapter=ema")
        }
        switch adapter {
        case "base": return .base
        case "initial": return .initial
        case "ema": return .average(decay: decay)
        default: return .adapter(adapter)
        }
    }
}
