/// Models below this are toys, which bear, and want, far larger learning rates.
let ordinaryParameterCount = 50_000_000

/// LoRA wants about ten times the learning rate of full training: verl's page on LoRA, and "LoRA
/// Without Regret" (https://thinkingmachines.ai/blog/lora).
///
/// - Parameters:
///   - parameterCount: of the whole model.
///   - key: the setting, for the message.
func learningRateAdvice(
    _ rate: Double, usesLoRA: Bool, parameterCount: Int, key: String
) -> String? {
    let isOrdinary = parameterCount >= ordinaryParameterCount
    if usesLoRA, rate > 0, rate < 1e-5 {
        return "\(key)=\(rate) is low for LoRA, which wants about ten times the rate of full"
            + " training: 1e-5 to 1e-4 is usual"
    }
    if usesLoRA, rate > (isOrdinary ? 1e-3 : 2e-2) {
        return "\(key)=\(rate) is high even for LoRA: 1e-5 to 1e-4 is usual"
    }
    if !usesLoRA, isOrdinary, rate > 5e-5 {
        return "\(key)=\(rate) is high for training the whole model: 1e-6 to 1e-5 is usual; LoRA"
            + " (lora_rank=32) bears ten times more"
    }
    return nil
}
