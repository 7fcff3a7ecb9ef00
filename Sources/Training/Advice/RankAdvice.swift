/// Whether rank and alpha are out of the ordinary.
///
/// verl's page on LoRA finds rank 32 as good as full training at 0.5B parameters and 128 at 32B;
/// "LoRA Without Regret" finds rank 1 enough for RL. So only what fits neither is worth a word.
///
/// - Parameters:
///   - parameterCount: of the whole model.
///   - hiddenSize: width of its layers.
func rankAdvice(_ lora: LoRASettings, parameterCount: Int, hiddenSize: Int) -> String? {
    guard let rank = lora.rank, rank > 0, lora.adapterPath == nil else { return nil }
    if rank > hiddenSize / 2 {
        return "lora_rank=\(rank) on layers of width \(hiddenSize) is no less than the layers"
            + " themselves: \(max(1, hiddenSize / 4)) or less would do"
    }
    let scale =
        lora.alpha / (lora.usesRankStabilizedScale ? Double(rank).squareRoot() : Double(rank))
    if scale < 0.1 || scale > 16 {
        return "lora_alpha=\(lora.alpha) with lora_rank=\(rank) scales the adapter by"
            + " \(scale.formatted(digits: 2)): alpha between rank / 2 and 2 * rank is usual, and the"
            + " learning rate goes with it"
    }
    if rank < 8, parameterCount >= 300_000_000 {
        return "lora_rank=\(rank) is small: 32 and more is as good as full training for 0.5B"
            + " parameters, 128 for 32B; for RL alone as little as 1 may do"
    }
    return nil
}
