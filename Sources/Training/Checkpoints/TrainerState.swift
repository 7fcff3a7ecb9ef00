import Formats

/// Where a run stands, besides its parameters and the optimizer's moments. All randomness is a
/// function of seeds and these numbers, so nothing else decides the rest of the run.
package struct TrainerState: Sendable, Equatable {
    /// Steps made.
    package var step = 0
    /// Updates that the optimizer made.
    package var optimizerStep = 0
    /// Prompts that the data order has given.
    package var promptsTaken = 0
    /// The coefficient of the KL in the reward, where there is one.
    package var klCoefficient: Double?
    /// Updates that the critic's optimizer made; `nil` in a run without a critic.
    package var criticOptimizerStep: Int?
    /// How the base was quantised that the adapter learned on; `nil` for as its checkpoint has it.
    package var quantization: String?
    /// The same of the critic's base.
    package var criticQuantization: String?

    package init() {}

    var json: JSON {
        var fields: JSONObject = [
            "step": .integer(step), "optimizer_step": .integer(optimizerStep),
            "prompts_taken": .integer(promptsTaken),
        ]
        fields["kl_coef"] = klCoefficient.map { .number($0) }
        fields["critic_optimizer_step"] = criticOptimizerStep.map { .integer($0) }
        fields["quantization"] = quantization.map { .string($0) }
        fields["critic_quantization"] = criticQuantization.map { .string($0) }
        return .object(fields)
    }

    /// Reads the parsed content of the file called `name`.
    init(_ json: JSON, name: String) throws(TrainingError) {
        func count(_ key: String) throws(TrainingError) -> Int {
            guard let value = json[key]?.int, 0..<(1 << 48) ~= value else {
                throw TrainingError("\(name): \"\(key)\" is missing or no count.")
            }
            return value
        }
        step = try count("step")
        optimizerStep = try count("optimizer_step")
        promptsTaken = try count("prompts_taken")
        if let value = json["kl_coef"] {
            guard let coefficient = value.double, coefficient >= 0, coefficient.isFinite else {
                throw TrainingError("\(name): \"kl_coef\" is no number of at least 0.")
            }
            klCoefficient = coefficient
        }
        let criticKey = "critic_optimizer_step"
        criticOptimizerStep = json[criticKey] == nil ? nil : try count(criticKey)
        quantization = json["quantization"]?.string
        criticQuantization = json["critic_quantization"]?.string
    }
}
