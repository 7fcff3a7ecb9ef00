import Formats
import Models
import Tensors

extension RunFacts {
    /// The facts of a run whose parts are loaded.
    init(_ settings: TrainSettings, _ parts: ReinforcementParts) {
        let base = parts.model.policy.base
        let rows = parts.trainingPrompts.rows
        let limit = settings.data.maxResponseLength
        // A token has a byte at least, so that few answers have to be tokenised.
        let longAnswers = rows.count { row in
            row.groundTruth.utf8.count > limit
                && parts.tokenizer.encode(row.groundTruth).count > limit
        }
        self.init(
            parameterCount: base.parameterCount, hiddenSize: base.config.hiddenSize,
            promptCount: rows.count, overlongCount: parts.trainingPrompts.overlongCount,
            longAnswerCount: longAnswers, memory: MemoryNeed(settings, parts),
            machineMemory: availableMemory(of: base.device), usesGPU: !base.device.isHost)
    }
}

extension MemoryNeed {
    fileprivate init(_ settings: TrainSettings, _ parts: ReinforcementParts) {
        let base = parts.model.policy.base
        let longest = settings.data.prompts.maxLength + settings.data.maxResponseLength
        let group = settings.rollout.sampling.responseCount
        let atOnce =
            switch settings.actor.microBatch {
            case .samples(let size): size * longest
            case .tokens(let budget): max(budget, longest)
            }
        // Micro-batches are cut between prompts as far as that saves recomputation.
        let keeping = settings.model.activationMemory.kept(on: base.device)
        let kept = base.tokensAtOnce(keeping, adapter: parts.model.policy.adapter)
        // A critic that is a whole model is trained, and counted as that.
        let hasOwnBase = settings.critic.map { !$0.sharesActorBase && $0.lora.isOn } ?? false
        let ownBase = hasOwnBase ? parts.critic?.decoder.weightBytes ?? 0 : 0
        self.init(
            base.config, weightBytes: base.weightBytes + ownBase,
            trainedCount: parts.model.policy.parameters.count
                + (parts.critic?.parameters.count ?? 0),
            activationType: parts.model.policy.decoder.activationType,
            tokensAtOnce: min(
                atOnce, settings.actor.miniBatchSize * group * longest,
                max(kept, group * longest)),
            keeping: keeping,
            cachedTokens: longest
                * min(settings.rollout.maxSequences, settings.data.rolloutBatchSize * group))
    }
}

extension Decoder {
    /// Parameters in all, each once.
    var parameterCount: Int { weights.named.reduce(0) { $0 + $1.weight.count } }
    /// Bytes of all weights as they are stored.
    var weightBytes: Int {
        weights.named.reduce(0) { $0 + $1.weight.byteCount }
    }
}
