import Objectives
import Settings
import Tensors

/// What must hold between keys of different groups.
extension TrainSettings {
    /// The mini- and micro-batches of an actor or critic, whose keys lie below `group`.
    static func checkBatches(
        _ reader: SettingsReader, group: String, miniBatchSize: Int,
        _ microBatch: MicroBatchSettings, responseCount: Int, trainBatchSize: Int
    ) throws(SettingsError) {
        let mini = "\(group).ppo_mini_batch_size"
        guard trainBatchSize.isMultiple(of: miniBatchSize) else {
            throw reader.conflict(
                ["data.train_batch_size", mini], "the first must be a multiple of the second")
        }
        let samples = miniBatchSize * responseCount
        if case .samples(let size) = microBatch, !samples.isMultiple(of: size) {
            throw reader.conflict(
                [mini, "actor_rollout_ref.rollout.n", "\(group).ppo_micro_batch_size_per_gpu"],
                "a mini-batch has \(samples) samples, which must be a multiple of the last")
        }
    }

    /// Groups of one response cannot be compared within.
    static func checkGroups(
        _ reader: SettingsReader, _ algorithm: AlgorithmSettings, _ rollout: RolloutSettings
    ) throws(SettingsError) {
        guard rollout.sampling.responseCount == 1 else { return }
        let group = "actor_rollout_ref.rollout.n"
        if algorithm.estimator.name == "grpo_passk" {
            throw reader.conflict(
                ["algorithm.adv_estimator", group],
                "the best response is compared with the second best, so set n to 2 or more")
        }
        guard algorithm.estimator.name == "grpo" else { return }
        reader.note(
            "'\(group)' is 1: a group of one response has nothing to be compared with, so its"
                + " advantage is its reward.")
    }

    /// gdpo takes the rewards that it names apart, and sees nothing that is added to the score.
    static func checkSeveralRewards(
        _ reader: SettingsReader, _ algorithm: AlgorithmSettings, _ reward: RewardSettings
    ) throws(SettingsError) {
        guard algorithm.estimator.needs.contains(.rewardComponents) else { return }
        if algorithm.rewardPenalty != nil {
            throw reader.conflict(
                ["algorithm.adv_estimator", "algorithm.use_kl_in_reward"],
                "gdpo's advantages are those of single rewards, without the KL, so use"
                    + " actor_rollout_ref.actor.use_kl_loss instead")
        }
        let shortened: Set = ["score", "overlong_reward"]
        if reward.overlongPenalty != nil, shortened.isDisjoint(with: algorithm.rewardKeys) {
            throw reader.conflict(
                ["algorithm.gdpo_reward_keys", "reward_model.overlong_buffer.enable"],
                "the penalty is part of score, and by itself overlong_reward, so name one of them"
                    + " among the first")
        }
    }

    /// A reference of its own is only asked for where a KL is measured against it.
    static func checkReference(
        _ reader: SettingsReader, _ reference: ReferenceSettings, _ model: ModelSettings,
        _ actor: ActorSettings, _ algorithm: AlgorithmSettings
    ) throws(SettingsError) {
        let key = "actor_rollout_ref.ref.adapter"
        guard reference.choice != .base else { return }
        guard actor.loss.useKLLoss || algorithm.rewardPenalty != nil else {
            throw reader.conflict(
                [key, "actor_rollout_ref.actor.use_kl_loss", "algorithm.use_kl_in_reward"],
                "the reference is only used by a KL, so set one of the last two, or leave out the"
                    + " first")
        }
        if case .average = reference.choice, !model.lora.isOn {
            throw reader.conflict(
                [key, "actor_rollout_ref.model.lora_rank"],
                "an average of the whole model would be a second copy of it, so train an adapter or"
                    + " choose another reference")
        }
    }

    /// verl's bypass mode has losses of its own, whatever the policy loss is called.
    static func checkBypass(
        _ reader: SettingsReader, _ actor: ActorSettings, _ algorithm: AlgorithmSettings
    ) throws(SettingsError) {
        let keys = [
            "algorithm.rollout_correction.bypass_mode",
            "actor_rollout_ref.actor.policy_loss.loss_mode",
        ]
        let isBypass = algorithm.oldPolicy.source == .rollout
        if actor.asksForBypass, !isBypass {
            throw reader.conflict(keys, "the second needs the first to be true")
        }
        if isBypass, !actor.asksForBypass, actor.loss.mode.name != "vanilla" {
            throw reader.conflict(
                keys,
                "bypass mode has its own losses (rollout_correction.loss_type), so leave out one of"
                    + " the two; without the first the rollout's log-probabilities serve as well")
        }
    }

    /// How many prompts are sampled at once matters only where groups are left out.
    static func checkRolloutBatch(
        _ reader: SettingsReader, _ data: DataSettings, _ algorithm: AlgorithmSettings
    ) throws(SettingsError) {
        guard algorithm.groupFilter == nil, data.rolloutBatchSize != data.trainBatchSize else {
            return
        }
        throw reader.conflict(
            ["data.gen_batch_size", "data.train_batch_size"],
            "without algorithm.filter_groups.enable=true these must be the same")
    }

    /// Rounded activations meet whole numbers: int8 or int4 weights.
    static func checkActivations(
        _ reader: SettingsReader, _ model: ModelSettings, _ rollout: RolloutSettings
    ) throws(SettingsError) {
        guard rollout.activations == .int8, model.quantization.kind?.takesInt8Activations != true
        else {
            return
        }
        throw reader.conflict(
            ["actor_rollout_ref.rollout.activations", "actor_rollout_ref.model.quantization"],
            "activations are rounded for products with int8 or int4 weights, so set the second to"
                + " one of these, or the first to float32")
    }

    static func checkLengths(
        _ reader: SettingsReader, _ data: DataSettings, _ rollout: RolloutSettings
    ) throws(SettingsError) {
        let keys = ["data.max_prompt_length", "data.max_response_length"]
        let lengths = [data.prompts.maxLength, data.maxResponseLength]
        if let limit = rollout.maxModelLength, lengths[0] + lengths[1] > limit {
            throw reader.conflict(
                keys + ["actor_rollout_ref.rollout.max_model_len"],
                "the sum of the first two must not be above the last")
        }
        if !rollout.chunksPrompts, lengths[0] + lengths[1] > rollout.maxBatchedTokens {
            let names = ["enable_chunked_prefill", "max_num_batched_tokens"]
            throw reader.conflict(
                keys + names.map { "actor_rollout_ref.rollout.\($0)" },
                "a prompt that is not computed in parts needs the last to be at least the sum of"
                    + " the first two")
        }
        for (key, name, length) in [
            (keys[0], "prompt_length", lengths[0]), (keys[1], "response_length", lengths[1]),
        ] {
            let copy = "actor_rollout_ref.rollout.\(name)"
            let value = try reader.derived("as \(key)").int(
                copy, default: length, in: .atLeast(1), "The same as \(key).")
            if value != length {
                throw reader.conflict([key, copy], "these mean the same, so leave the second out")
            }
        }
    }

    static func checkValidation(
        _ reader: SettingsReader, _ data: DataSettings, _ trainer: TrainerSettings
    ) throws(SettingsError) {
        guard data.validationFiles.isEmpty else { return }
        let needs: [(String, Bool)] = [
            ("trainer.test_freq", trainer.run.validationInterval != nil),
            ("trainer.val_only", trainer.validatesOnly),
        ]
        for (key, isSet) in needs where isSet {
            throw reader.conflict(
                [key, "data.val_files"], "validation needs data.val_files=FILE.jsonl")
        }
    }
}
