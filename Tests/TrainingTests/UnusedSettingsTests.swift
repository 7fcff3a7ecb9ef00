import Settings
import Testing

@testable import Training

@Suite("Settings that do nothing as things stand")
struct UnusedSettingsTests {
    private static let needed = [
        "actor_rollout_ref.model.path=/m", "data.train_files=train.jsonl",
        "algorithm.adv_estimator=grpo", "data.train_batch_size=16",
        "actor_rollout_ref.rollout.n=2",
    ]

    private func notices(_ arguments: [String]) throws -> [String] {
        try TrainSettings.load(arguments: Self.needed + arguments, environment: [:]).report.notices
    }

    /// Keys given without the switch that they need, and what is said of them.
    private static let idle: [(String, String)] = [
        (
            "algorithm.kl_ctrl.kl_coef=0.5",
            "as use_kl_in_reward is false: algorithm.kl_ctrl.kl_coef"
        ),
        ("algorithm.kl_penalty=k3", "use_kl_in_reward is false: algorithm.kl_penalty"),
        ("algorithm.rollout_correction.rollout_is_threshold=3", "rollout_is is null"),
        ("algorithm.rollout_correction.rollout_is_batch_normalize=True", "rollout_is is null"),
        ("algorithm.rollout_correction.rollout_rs_threshold=3", "rollout_rs is null"),
        ("actor_rollout_ref.actor.loss_scale_factor=9", "loss_agg_mode is token-mean"),
        ("actor_rollout_ref.actor.kl_loss_coef=0.5", "use_kl_loss is false"),
        ("algorithm.lam=0.9", "adv_estimator=grpo has no lambda"),
        ("algorithm.gamma=0.9", "adv_estimator=grpo discounts nothing"),
        ("actor_rollout_ref.actor.tau_neg=2", "loss_mode is vanilla: actor.tau_neg"),
        ("actor_rollout_ref.actor.policy_loss.clip_cov_lb=2", "loss_mode is vanilla"),
        ("algorithm.filter_groups.metric=acc", "filter_groups.enable is false"),
        ("algorithm.pf_ppo.weight_pow=3", "use_pf_ppo is false"),
        ("reward_model.overlong_buffer.len=4096", "overlong_buffer.enable' is false"),
        ("reward_model.overlong_buffer.penalty_factor=2", "overlong_buffer.enable' is false"),
        ("actor_rollout_ref.rollout.val_kwargs.top_p=0.7", "do_sample is false"),
    ]

    @Test("a key without the switch that it needs is told", arguments: idle)
    func isTold(argument: String, words: String) throws {
        let found = try notices([argument])
        #expect(found.count == 1 && found.first?.contains(words) == true, "\(found)")
    }

    @Test("a key at its default, as in verl's whole files, is not worth a word")
    func defaults() throws {
        let found = try notices([
            "algorithm.kl_ctrl.kl_coef=0.001", "algorithm.lam=1.0", "algorithm.gamma=1",
            "algorithm.rollout_correction.rollout_is_threshold=2.0",
            "actor_rollout_ref.actor.loss_scale_factor=null",
            "actor_rollout_ref.actor.policy_loss.dro_beta=null", "algorithm.pf_ppo.weight_pow=2",
            "actor_rollout_ref.rollout.val_kwargs.temperature=0",
        ])
        #expect(found == [])
    }

    @Test("with the switch nothing is said")
    func switchedOn() throws {
        let found = try notices([
            "algorithm.use_kl_in_reward=True", "algorithm.kl_ctrl.kl_coef=0.5",
            "algorithm.kl_ctrl.type=adaptive", "algorithm.kl_ctrl.horizon=50",
            "algorithm.use_pf_ppo=True", "algorithm.pf_ppo.weight_pow=3",
            "reward_model.overlong_buffer.enable=True", "reward_model.overlong_buffer.len=64",
            "actor_rollout_ref.rollout.val_kwargs.do_sample=True",
            "actor_rollout_ref.rollout.val_kwargs.temperature=0.7",
        ])
        #expect(found == [])
    }

    @Test(
        "a typo below a group of which some keys do nothing is still unknown",
        arguments: [
            ("reward_model.overlong_bufer.enable=True", "reward_model.overlong_buffer.enable"),
            ("reward_model.overlong_buffer.lenn=8", "reward_model.overlong_buffer.len"),
            (
                "reward_model.reward_kwargs.overlong_buffer_cfg.enabel=True",
                "reward_model.reward_kwargs.overlong_buffer_cfg.enable"
            ),
            ("reward.reward_model.enabel=True", "reward.reward_model.enable"),
            ("actor_rollout_ref.rollout.multi_turn.enabled=True", "multi_turn.enable"),
        ])
    func typo(argument: String, meant: String) {
        let error = #expect(throws: SettingsError.self) { _ = try notices([argument]) }
        let text = error?.description ?? ""
        #expect(text.contains("unknown key") && text.contains("\(meant)'?"), "\(text)")
    }
}
