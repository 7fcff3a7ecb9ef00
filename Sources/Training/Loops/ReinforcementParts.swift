import Formats
import Models
import Rewards
import Rollouts

/// What a reinforcement-learning run is made of, loaded and checked against each other.
struct ReinforcementParts {
    let tokenizer: Tokenizer
    let model: TrainedModel
    let reference: ReferenceModel
    /// PPO's critic; nil when none runs.
    let critic: TrainedCritic?
    let engine: RolloutEngine
    let reward: any RewardFunction
    let trainingPrompts: PromptDataset
    let validationPrompts: PromptDataset?

    /// - Throws: one sentence on the first thing that is missing, broken or contradictory. What is
    ///   quick to check comes first.
    init(_ settings: TrainSettings) async throws {
        try Self.checkPaths(settings)
        let modelSettings = settings.model
        tokenizer = try Tokenizer(directory: modelSettings.tokenizerPath)
        let encoder = try PromptEncoder(
            tokenizer, customTemplate: modelSettings.customChatTemplate)
        trainingPrompts = try PromptDataset(
            files: settings.data.trainFiles, settings.data.prompts, encoder,
            limit: settings.data.trainMaxSamples,
            seed: settings.data.shuffle ? settings.data.seed : nil)
        validationPrompts =
            settings.data.validationFiles.isEmpty
            ? nil
            : try PromptDataset(
                files: settings.data.validationFiles, settings.data.prompts, encoder,
                limit: settings.data.validationMaxSamples)
        model = try TrainedModel(
            directory: modelSettings.path, lora: modelSettings.lora,
            quantization: modelSettings.quantization.base,
            seed: UInt64(bitPattern: Int64(settings.trainer.run.seed)))
        let longestSequence = settings.data.prompts.maxLength + settings.data.maxResponseLength
        try model.checkFits(
            tokenizer, longestSequence: longestSequence,
            keys: "data.max_prompt_length and data.max_response_length")
        reference = try ReferenceModel(
            settings.reference.choice, of: model, initialAdapter: modelSettings.lora.adapterPath)
        critic = try settings.critic.map { [model] critic in
            try TrainedCritic(
                critic, actor: model.policy.base,
                seed: UInt64(bitPattern: Int64(settings.trainer.run.seed)))
        }
        try critic?.checkFits(
            actor: model.policy.decoder.config, longestSequence: longestSequence)
        try critic?.checkReads(tokenizer)
        engine = try RolloutEngine(
            model: model.policy.decoder, settings: EngineSettings(settings))
        try Self.checkSources(settings.reward, trainingPrompts, validationPrompts)
        // Last, because it may start a process.
        reward = try await settings.reward.makeReward()
    }

    /// Names the key of a path that leads nowhere.
    private static func checkPaths(_ settings: TrainSettings) throws(TrainingError) {
        var paths: [(key: String, path: String?)] = [
            ("actor_rollout_ref.model.path", settings.model.path),
            ("actor_rollout_ref.model.tokenizer_path", settings.model.tokenizerPath),
            ("actor_rollout_ref.model.lora_adapter_path", settings.model.lora.adapterPath),
            ("critic.model.path", settings.critic?.path),
            ("critic.model.lora_adapter_path", settings.critic?.lora.adapterPath),
        ]
        paths += settings.data.trainFiles.map { ("data.train_files", $0) }
        paths += settings.data.validationFiles.map { ("data.val_files", $0) }
        if case .adapter(let folder) = settings.reference.choice {
            paths.append(
                ("actor_rollout_ref.ref.adapter (base, initial, ema or a folder)", folder))
        }
        for case (let key, let path?) in paths where !fileExists(path) {
            throw TrainingError("\(key): there is no \(path).")
        }
    }

    /// Meets a row that no built-in reward belongs to before the first rollout.
    private static func checkSources(
        _ reward: RewardSettings, _ training: PromptDataset, _ validation: PromptDataset?
    ) throws {
        guard reward.custom == nil, reward.function == "auto" else { return }
        for row in training.rows + (validation?.rows ?? []) {
            _ = try DataSourceReward.rule(for: row.dataSource, sampleName: row.name)
        }
    }

    /// Ids that end a response.
    var stopIDs: Set<Int32> {
        Set(tokenizer.eosTokenIDs + model.policy.decoder.config.endOfSequenceIDs)
    }
}
