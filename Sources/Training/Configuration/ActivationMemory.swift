package import Models
import Settings
package import Tensors

/// How much memory the activations of an update may take.
package enum ActivationMemory: Sendable, Equatable {
    /// As much as they need: every block keeps its own.
    case unlimited
    /// So many bytes.
    case bytes(Int)
    /// What suits the device that computes.
    case standard

    private static let bytesPerGibibyte = Double(1 << 30)
    /// GiB that an update keeps on the host.
    private static let standardOfHost = 0.5

    /// Reads the keys of a model group; where they are not given, what is `inherited` stands.
    init(_ reader: SettingsReader, inherited: ActivationMemory? = nil) throws(SettingsError) {
        let (checkpointing, memory) = ("enable_gradient_checkpointing", "activation_memory_gb")
        let name = "as actor_rollout_ref.model."
        var inheritedMemory: Double?
        if case .bytes(let bytes) = inherited {
            inheritedMemory = Double(bytes) / Self.bytesPerGibibyte
        }
        let computesAgain = try (inherited == nil ? reader : reader.derived(name + checkpointing))
            .bool(
                checkpointing, default: inherited != .unlimited,
                "Compute a block's activations again in the backward pass where"
                    + " activation_memory_gb does not hold them: less memory, more time.")
        let standard =
            "\(Self.standardOfHost); on a GPU half of what weights and optimizer leave free"
        let gibibytes = try reader.derived(inherited == nil ? standard : name + memory)
            .optionalDouble(
                memory, default: inheritedMemory, in: .between(0, 1_048_576),
                "GiB of activations that an update keeps; micro-batches are made as small as this"
                    + " needs where no prompt is computed twice for it, and blocks whose"
                    + " activations do not fit are computed again.")
        guard computesAgain else {
            reader.unusedIfSet(
                [memory], because: "'\(reader.fullKey(checkpointing))' is false")
            self = .unlimited
            return
        }
        self = gibibytes.map { .bytes(Int($0 * Self.bytesPerGibibyte)) } ?? .standard
    }

    /// Which blocks keep their activations on `device`, which holds all else that the run needs
    /// between two steps.
    package func kept(on device: Device) -> KeptActivations {
        switch (self, device) {
        case (.unlimited, _): .all
        case (.bytes(let bytes), _): .within(bytes: bytes)
        case (.standard, .cpu): .within(bytes: Int(Self.standardOfHost * Self.bytesPerGibibyte))
        // The rest is for gradients, the products' scratch and the head's tiles of logits.
        case (.standard, .cuda(let cuda)): .within(bytes: cuda.unusedMemory / 2)
        }
    }
}
