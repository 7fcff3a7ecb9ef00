import Models
import Settings

extension KeptActivations {
    private static let bytesPerGibibyte = Double(1 << 30)

    /// Reads the keys of a model group; where they are not given, what is `inherited` stands.
    init(_ reader: SettingsReader, inherited: KeptActivations? = nil) throws(SettingsError) {
        func keys(_ name: String) -> SettingsReader {
            inherited == nil ? reader : reader.derived("as actor_rollout_ref.model.\(name)")
        }
        let (checkpointing, memory) = ("enable_gradient_checkpointing", "activation_memory_gb")
        var inheritedMemory = 0.5
        if case .within(let bytes) = inherited {
            inheritedMemory = Double(bytes) / Self.bytesPerGibibyte
        }
        let computesAgain = try keys(checkpointing).bool(
            checkpointing, default: inherited != .all,
            "Compute a block's activations again in the backward pass where activation_memory_gb"
                + " does not hold them: less memory, more time.")
        let gibibytes = try keys(memory).double(
            memory, default: inheritedMemory, in: .between(0, 1_048_576),
            "GiB of activations that an update keeps; micro-batches are made as small as this"
                + " needs where no prompt is computed twice for it, and blocks whose activations"
                + " do not fit are computed again.")
        guard computesAgain else {
            reader.unusedIfSet(
                [memory], because: "'\(reader.fullKey(checkpointing))' is false")
            self = .all
            return
        }
        self = .within(bytes: Int(gibibytes * Self.bytesPerGibibyte))
    }
}
