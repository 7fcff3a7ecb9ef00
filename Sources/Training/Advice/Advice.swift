import Models

/// What of a run the advice at its start depends on, besides its settings.
package struct RunFacts: Sendable {
    /// Parameters of the model, whether they are trained or not.
    package var parameterCount: Int
    /// Width of the model's layers.
    package var hiddenSize: Int
    /// Training prompts, those that were left out not counted.
    package var promptCount: Int
    /// Prompts that were left out because they are too long.
    package var overlongCount: Int
    /// Prompts whose right answer alone has more tokens than a response may have.
    package var longAnswerCount: Int
    /// What the run will take of the memory, at most.
    package var memory: MemoryNeed
    /// Bytes of memory that this process may use: the machine's, or the GPU's that computes.
    package var machineMemory: Int
    /// Whether a GPU computes.
    package var usesGPU = false
}

/// The few lines that a run's settings deserve at its start; none where they look sound.
package func advice(_ settings: TrainSettings, _ facts: RunFacts) -> [String] {
    let lora = settings.model.lora
    let lines: [String?] = [
        learningRateAdvice(
            settings.actor.optimizer.learningRate, usesLoRA: lora.isOn,
            parameterCount: facts.parameterCount, key: "actor_rollout_ref.actor.optim.lr"),
        rankAdvice(lora, parameterCount: facts.parameterCount, hiddenSize: facts.hiddenSize),
        batchAdvice(
            prompts: settings.data.trainBatchSize,
            responses: settings.rollout.sampling.responseCount),
        responseLengthAdvice(
            longAnswers: facts.longAnswerCount, of: facts.promptCount,
            limit: settings.data.maxResponseLength),
        promptLengthAdvice(
            overlong: facts.overlongCount, of: facts.promptCount + facts.overlongCount,
            limit: settings.data.prompts.maxLength),
        memoryAdvice(
            facts.memory, machineMemory: facts.machineMemory, isGPU: facts.usesGPU),
    ]
    return lines.compactMap(\.self)
}

/// The same for supervised fine-tuning, where fewer settings can be far off.
func advice(_ settings: SFTSettings, for model: Decoder) -> [String] {
    let lora = settings.model.lora
    let parameterCount = model.parameterCount
    return [
        learningRateAdvice(
            settings.optimizer.learningRate, usesLoRA: lora.isOn, parameterCount: parameterCount,
            key: "optim.lr"),
        rankAdvice(lora, parameterCount: parameterCount, hiddenSize: model.config.hiddenSize),
    ].compactMap(\.self)
}
