import Objectives
import Settings
import Testing

@testable import Training

@Suite("Settings of the algorithm")
struct AlgorithmSettingsTests {
    private static let needed = [
        "actor_rollout_ref.model.path=/m", "actor_rollout_ref.model.lora_rank=4",
        "data.train_files=train.jsonl", "algorithm.adv_estimator=grpo",
        "data.train_batch_size=16", "actor_rollout_ref.rollout.n=2",
    ]

    private func load(_ arguments: String...) throws -> TrainSettings {
        try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
    }

    @Test("the KL in the reward has its estimator and controller")
    func rewardPenalty() throws {
        #expect(try load().algorithm.rewardPenalty == nil)
        let penalty = try #require(
            try load(
                "algorithm.use_kl_in_reward=True", "algorithm.kl_penalty=low_var_kl",
                "algorithm.kl_ctrl.type=adaptive", "algorithm.kl_ctrl.kl_coef=0.02",
                "algorithm.kl_ctrl.target_kl=0.3", "algorithm.kl_ctrl.horizon=500"
            ).algorithm.rewardPenalty)
        #expect(penalty.estimator == KLEstimator(.k3))
        #expect(penalty.controller.coefficient == 0.02)
        #expect(penalty.controller.rule == .adaptive(target: 0.3, horizon: 500))
    }

    @Test("rollout correction takes verl's names and thresholds")
    func correction() throws {
        let prefix = "algorithm.rollout_correction"
        let old = try load(
            "\(prefix).rollout_is=sequence", "\(prefix).rollout_is_threshold=5",
            "\(prefix).rollout_rs='token_k1,seq_mean_k3'",
            "\(prefix).rollout_rs_threshold='0.5_2.0,0.01'", "\(prefix).bypass_mode=false"
        ).algorithm.oldPolicy
        #expect(old.source == .recomputed && old.corrects)
        #expect(old.correction.weighting == .sequence && old.correction.weightThreshold == 5)
        #expect(old.correction.rejections.count == 2)
        let one = try load("\(prefix).rollout_rs=token_k1", "\(prefix).rollout_rs_threshold=2.0")
        #expect(one.algorithm.oldPolicy.correction.rejections.count == 1)
        let bypass = try load("\(prefix).bypass_mode=true", "\(prefix).loss_type=reinforce")
        #expect(bypass.algorithm.oldPolicy.source == .rollout)
        #expect(bypass.algorithm.oldPolicy.bypassLoss == .reinforce)
    }

    @Test("dynamic sampling, overlong shaping and PF-PPO are off until asked for")
    func options() throws {
        let plain = try load()
        #expect(plain.algorithm.groupFilter == nil && plain.algorithm.resampling == nil)
        #expect(plain.reward.overlongPenalty == nil && !plain.algorithm.masksTruncated)
        let dapo = try load(
            "+algorithm.filter_groups.enable=True", "+algorithm.filter_groups.metric=acc",
            "+algorithm.filter_groups.max_num_gen_batches=10", "+data.gen_batch_size=48",
            "reward_model.reward_manager=dapo", "data.max_response_length=200",
            "+reward_model.reward_kwargs.overlong_buffer_cfg.enable=True",
            "+reward_model.reward_kwargs.overlong_buffer_cfg.len=50",
            "+reward_model.reward_kwargs.overlong_buffer_cfg.penalty_factor=0.5",
            "+reward_model.reward_kwargs.overlong_buffer_cfg.log=False",
            "+reward_model.reward_kwargs.max_resp_len=200")
        #expect(dapo.algorithm.groupFilter?.metric == "acc")
        #expect(dapo.algorithm.groupFilter?.maxBatches == 10)
        #expect(dapo.data.rolloutBatchSize == 48 && dapo.data.trainBatchSize == 16)
        #expect(dapo.reward.overlongPenalty?.penalty(length: 175) == -0.25)
        let resampled = try load("algorithm.use_pf_ppo=True", "algorithm.pf_ppo.weight_pow=3")
        #expect(resampled.algorithm.resampling != nil)
    }

    @Test("the reference is the base, or what is asked for where there is a KL")
    func reference() throws {
        let key = "actor_rollout_ref.ref.adapter"
        let kl = "actor_rollout_ref.actor.use_kl_loss=True"
        #expect(try load().reference.choice == .base)
        #expect(try load(kl, "\(key)=initial").reference.choice == .initial)
        #expect(
            try load(kl, "\(key)=ema", "actor_rollout_ref.ref.ema_decay=0.9").reference.choice
                == .average(decay: 0.9))
        #expect(try load(kl, "\(key)=/a/b").reference.choice == .adapter("/a/b"))
    }

    /// Arguments that contradict each other, and keys that the message must name.
    private static let contradictions: [([String], [String])] = [
        (["algorithm.adv_estimator=gdpo"], ["adv_estimator", "gdpo_reward_keys"]),
        (["algorithm.gdpo_reward_keys=[acc]"], ["gdpo_reward_keys", "adv_estimator"]),
        (
            [
                "algorithm.adv_estimator=gdpo", "algorithm.gdpo_reward_keys=[score]",
                "algorithm.use_kl_in_reward=True",
            ], ["adv_estimator", "use_kl_in_reward", "use_kl_loss"]
        ),
        (
            [
                "algorithm.adv_estimator=gdpo", "algorithm.gdpo_reward_keys=[acc,format]",
                "reward_model.overlong_buffer.enable=True", "reward_model.overlong_buffer.len=8",
            ], ["gdpo_reward_keys", "overlong_buffer.enable", "overlong_reward"]
        ),
        (
            [
                "algorithm.adv_estimator=gdpo", "algorithm.gdpo_reward_keys=[a,b]",
                "algorithm.gdpo_reward_weights=[1]",
            ], ["gdpo_reward_keys", "gdpo_reward_weights"]
        ),
        (
            ["algorithm.rollout_correction.loss_type=reinforce"],
            ["loss_type", "bypass_mode"]
        ),
        (
            ["algorithm.rollout_correction.rollout_rs=token_k1"],
            ["rollout_rs", "'algorithm.rollout_correction.rollout_rs_threshold' is null"]
        ),
        (
            [
                "algorithm.rollout_correction.rollout_rs=token_k9",
                "algorithm.rollout_correction.rollout_rs_threshold=2",
            ], ["token_k9"]
        ),
        (
            ["actor_rollout_ref.actor.policy_loss.loss_mode=bypass_mode"],
            ["bypass_mode", "loss_mode"]
        ),
        (
            [
                "actor_rollout_ref.actor.policy_loss.loss_mode=gspo",
                "algorithm.rollout_correction.bypass_mode=True",
            ], ["bypass_mode", "loss_mode"]
        ),
        (["actor_rollout_ref.ref.adapter=initial"], ["ref.adapter", "use_kl_loss"]),
        (
            [
                "actor_rollout_ref.ref.adapter=ema", "actor_rollout_ref.model.lora_rank=0",
                "algorithm.use_kl_in_reward=True",
            ], ["ref.adapter", "lora_rank"]
        ),
        (["actor_rollout_ref.ref.ema_decay=0.5"], ["ema_decay", "ref.adapter"]),
        (["data.gen_batch_size=32"], ["gen_batch_size", "train_batch_size"]),
        (
            [
                "algorithm.filter_groups.enable=True", "algorithm.use_kl_in_reward=True",
                "algorithm.filter_groups.metric=seq_final_reward",
            ], ["filter_groups.metric", "use_kl_in_reward"]
        ),
        (
            [
                "reward_model.overlong_buffer.enable=True", "reward_model.overlong_buffer.len=8",
                "reward_model.reward_kwargs.overlong_buffer_cfg.enable=True",
            ], ["reward_model.overlong_buffer.enable", "overlong_buffer_cfg.enable"]
        ),
        (
            ["reward_model.overlong_buffer.enable=True", "reward_model.overlong_buffer.len=513"],
            ["'reward_model.overlong_buffer.len' is 513", "at most the longest response 512"]
        ),
        (
            ["reward_model.overlong_buffer.enable=True"],
            ["'reward_model.overlong_buffer.len' is null", "the number of tokens"]
        ),
    ]

    @Test("what contradicts each other is named", arguments: contradictions)
    func contradiction(arguments: [String], keys: [String]) {
        let error = #expect(throws: SettingsError.self) {
            try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
        }
        for key in keys {
            #expect(error?.description.contains(key) == true, "\(key): \(arguments)")
        }
    }
}
