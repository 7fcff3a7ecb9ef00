import Models
package import Tensors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// How much memory the KV cache may take.
package enum CacheLimit: Sendable, Equatable {
    case bytes(Int)
    /// A share of the machine's physical memory, in (0, 1]; on a GPU a share of its memory, of which
    /// the cache has what weights and all else that is there leave.
    case memoryShare(Double)

    /// The limit in bytes for a model that computes on `device`.
    func byteCount(on device: Device) -> Int {
        switch (self, device) {
        case (.bytes(let count), _): count
        case (.memoryShare(let share), .cpu):
            Int(Double(ProcessInfo.processInfo.physicalMemory) * share)
        case (.memoryShare(let share), .cuda(let cuda)):
            max(0, cuda.unusedMemory - Int(Double(cuda.properties.memoryBytes) * (1 - share)))
        }
    }
}

/// The bounds within which the engine works.
package struct EngineSettings: Sendable, Equatable {
    /// Tokens a KV block.
    package var blockSize = 16
    /// The most requests that run at once.
    package var maxSequences = 256
    /// The most tokens of one forward pass.
    package var maxBatchedTokens = 8192
    /// Whether prompts that do not fit a forward pass whole are split over steps.
    package var chunksPrompts = true
    /// The longest prompt and response together, in tokens; `nil` is what the model allows.
    package var maxModelLength: Int?
    package var cacheLimit = CacheLimit.memoryShare(0.5)
    /// Whether requests share the KV blocks of equal prefixes.
    package var reusesPrefixes = true
    /// What quantised weights take rows as.
    package var activations = ActivationPrecision.float32

    package init() {}

    /// The longest sequence under these settings.
    ///
    /// - Throws: `RolloutError` for a bound that is impossible for the model.
    func validated(for model: Decoder) throws(RolloutError) -> Int {
        let (config, weights) = (model.config, model.weights)
        for (name, value) in [
            ("block size", blockSize), ("number of sequences", maxSequences),
            ("number of batched tokens", maxBatchedTokens),
        ] where value < 1 {
            throw RolloutError("The engine's \(name) is \(value); it must be at least 1.")
        }
        guard blockSize <= 1 << 16 else {
            throw RolloutError("The engine's block size is \(blockSize); it must be at most 65536.")
        }
        if case .memoryShare(let share) = cacheLimit, !(share > 0 && share <= 1) {
            throw RolloutError("The cache's share of memory is \(share); it must be in (0, 1].")
        }
        guard activations == .float32 || weights.quantization?.takesInt8Activations == true else {
            throw RolloutError(
                "The engine's activations are set to int8; that needs weights that are quantised "
                    + "to int8 or int4, and these are "
                    + "\(weights.quantization?.rawValue ?? "not quantised").")
        }
        guard activations == .float32 || model.device.isHost else {
            throw RolloutError(
                "The engine's activations are set to int8; products with those run on the CPU only, "
                    + "and this model is on a GPU: take float32, which reads quantised weights "
                    + "there too, or compute on the CPU.")
        }
        let length = maxModelLength ?? config.maxPositions
        guard length >= 2, length <= config.maxPositions else {
            throw RolloutError(
                "The longest sequence is set to \(length) tokens; it must be between 2 and the "
                    + "model's \(config.maxPositions).")
        }
        guard chunksPrompts || maxBatchedTokens >= length else {
            throw RolloutError(
                "The engine's number of batched tokens is \(maxBatchedTokens); where prompts are "
                    + "not split it must be at least the longest sequence, \(length).")
        }
        return length
    }

    /// Blocks of the whole model that fit the cache's limit.
    func blockLimit(for model: Decoder) throws(RolloutError) -> Int {
        let bytes = KVCache.bytesPerBlock(
            model.config, blockSize: blockSize, type: model.activationType)
        let limit = cacheLimit.byteCount(on: model.device)
        let count = min(limit / bytes, Int(Int32.max) / blockSize)
        guard count >= 1 else {
            if case (.memoryShare(let share), .cuda(let cuda)) = (cacheLimit, model.device) {
                throw RolloutError(
                    "The rollouts may take \(share) of the GPU's "
                        + "\(cuda.properties.memoryBytes.asMemorySize) (gpu_memory_utilization), of "
                        + "which \(cuda.pool.ledger.description) leave no room for keys and values; "
                        + "raise the share, or take a smaller or a quantised model.")
            }
            throw RolloutError(
                "The KV cache may take \(limit) bytes; one block of \(blockSize) "
                    + "tokens takes \(bytes).")
        }
        return count
    }
}
