import Models
import Tensors

/// What a run takes of the memory, at most, in bytes.
package struct MemoryNeed: Sendable, Equatable {
    /// The checkpoints as they are mapped, each once.
    package var weights: Int
    /// What is trained, with its gradient and AdamW's two moments.
    package var trained: Int
    /// Activations of the largest micro-batch.
    package var activations: Int
    /// Keys and values of the sequences that are decoded at once.
    package var cache: Int

    /// The most at one time: the cache is released before the update.
    package var peak: Int { weights + trained + max(activations, cache) }

    /// - Parameters:
    ///   - weightBytes: of the mapped checkpoints.
    ///   - trainedCount: parameters that are trained, in f32.
    ///   - activationType: what activations, keys and values are.
    ///   - tokensAtOnce: of the largest micro-batch.
    ///   - keeping: which blocks keep their activations for the backward pass.
    ///   - cachedTokens: of all sequences that are decoded at once.
    init(
        _ config: DecoderConfig, weightBytes: Int, trainedCount: Int,
        activationType: DataType = .float32, tokensAtOnce: Int, keeping kept: KeptActivations,
        cachedTokens: Int
    ) {
        let (float, size) = (DataType.float32.size, activationType.size)
        weights = weightBytes
        trained = 4 * float * trainedCount
        let blockWidth =
            4 * config.hiddenSize + 2 * config.queryWidth + 2 * config.keyValueWidth
            + 3 * config.intermediateSize
        var ofBlocks = size * tokensAtOnce * config.layerCount * blockWidth
        if case .within(let bytes) = kept {
            // The residual stream is f32.
            let inputs = float * tokensAtOnce * config.layerCount * config.hiddenSize
            ofBlocks = min(ofBlocks, inputs + bytes)
        }
        // The block at hand has its gradients beside its activations.
        activations = ofBlocks + 2 * size * tokensAtOnce * blockWidth
        cache = size * cachedTokens * config.layerCount * 2 * config.keyValueWidth
    }
}

/// Whether the run may not fit; speaks from seven tenths of the memory on.
///
/// - Parameters:
///   - machineMemory: bytes that the process may use of what computes.
///   - isGPU: whether that is a GPU.
func memoryAdvice(_ need: MemoryNeed, machineMemory: Int, isGPU: Bool = false) -> String? {
    guard need.peak > machineMemory / 10 * 7 else { return nil }
    let parts: [(name: String, bytes: Int, remedy: String)] = [
        ("weights", need.weights, "take a smaller model"),
        ("what is trained", need.trained, "train an adapter (lora_rank=32), or one of lower rank"),
        (
            "activations", need.activations,
            "lower actor_rollout_ref.actor.ppo_max_token_len_per_gpu or the micro-batch size"
        ),
        ("KV cache", need.cache, "lower actor_rollout_ref.rollout.max_num_seqs"),
    ]
    let largest = parts.max { $0.bytes < $1.bytes }
    let list = parts.map { "\($0.name) \($0.bytes.asMemorySize)" }.joined(separator: ", ")
    return "up to \(need.peak.asMemorySize) of \(isGPU ? "the GPU's " : "")memory may be needed"
        + " (\(list)), and there are \(machineMemory.asMemorySize): \(largest?.remedy ?? "")"
}
