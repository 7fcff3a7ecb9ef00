package import Formats
package import Objectives
import Rewards
import Settings

/// How responses are scored: `custom_reward_function.*`, `reward.*` and `reward_model.*`.
package struct RewardSettings: Sendable {
    /// A reward that is built in, by name; `auto` chooses by each row's `data_source`.
    package let function: String
    /// The user's own function; it takes the place of `function`.
    package let custom: CustomReward?
    /// Longest time that one score may take, in seconds.
    package let timeLimit: Double
    /// What long responses lose of their score; nil for nothing.
    package let overlongPenalty: OverlongPenalty?

    /// Names of the rewards that are built in.
    package static let functions = ["auto"] + RewardRule.all.map(\.name)

    /// A reward that the user wrote.
    package struct CustomReward: Sendable {
        /// A Python file, or an executable that answers JSON lines.
        package let path: String
        /// The function in that Python file.
        package let name: String
        /// What the function is given besides the sample.
        package let arguments: JSONObject
    }

    /// Reads the three groups from the root of the configuration.
    init(_ reader: SettingsReader, maxResponseLength: Int) throws(SettingsError) {
        function = try reader.choice(
            "reward.function", default: "auto", of: Self.functions,
            "Built-in reward; auto chooses by each row's data_source.")
        timeLimit = try reader.double(
            "reward.time_limit", default: 60, in: .above(0, upTo: 604_800),
            "Longest time that one score may take, in seconds.")
        custom = try Self.custom(reader)
        if custom != nil, function != "auto" {
            throw reader.conflict(
                ["reward.function", "custom_reward_function.path"],
                "both say how to score, so keep one")
        }
        overlongPenalty = try OverlongPenalty.read(reader, maxResponseLength: maxResponseLength)
        for key in [
            "reward_model.reward_manager", "reward.reward_manager.name", "reward_manager.name",
        ] {
            try reader.unsupported(
                key, allowed: ["naive", "dapo", nil],
                because: "each response is scored on its own")
        }
        try Self.declareOthers(reader)
    }

    /// verl has moved the group below `reward`; both places are read.
    private static func custom(_ reader: SettingsReader) throws(SettingsError) -> CustomReward? {
        var found: CustomReward?
        for group in ["reward.custom_reward_function", "custom_reward_function"] {
            let scope = reader.scope(group)
            let path = try scope.optionalPath(
                "path", "Your own reward: a Python file, or an executable that answers JSON lines.")
            let usualName = "compute_score"
            let name =
                try scope.optionalString(
                    "name", default: usualName, "The function in that Python file.") ?? usualName
            let arguments = try scope.jsonObject(
                "reward_kwargs", "What the function is given besides the sample.")
            guard let path else { continue }
            if found != nil {
                throw reader.conflict(
                    ["reward.custom_reward_function.path", "custom_reward_function.path"],
                    "both are the same setting, so keep one")
            }
            found = CustomReward(path: path, name: name, arguments: arguments)
        }
        return found
    }

    private static let noRewardModels = "a reward is a function; reward models are not there yet"

    /// verl's keys of a reward model, each by its name: the group has keys that work beside them.
    private static let rewardModelKeys = [
        "enable_resource_pool", "n_gpus_per_node", "nnodes", "strategy", "model", "model_path",
        "micro_batch_size", "micro_batch_size_per_gpu", "max_length", "use_dynamic_bsz",
        "forward_max_token_len_per_gpu", "reward_loop_source", "reward_loop_module_path",
        "reward_loop_class_name", "use_reward_loop", "num_workers", "profiler", "rollout",
        "ulysses_sequence_parallel_size", "megatron",
    ]

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        for group in ["reward_model", "reward.reward_model"] {
            try reader.unsupported(
                "\(group).enable", allowed: [false, nil],
                because: noRewardModels)
        }
        for key in [
            "reward_model.sandbox_fusion.url", "reward.sandbox_fusion.url", "sandbox_fusion.url",
        ] {
            try reader.unsupported(
                key, allowed: [nil], because: "no built-in reward runs code; write your own")
        }
        reader.ignored(
            ["reward_model.launch_reward_fn_async", "reward.num_workers"],
            because: "responses are always scored while others are still decoded")
        for group in ["reward_model", "reward.reward_model"] {
            reader.scope(group).ignored(rewardModelKeys, because: noRewardModels)
        }
        for group in ["reward.reward_manager", "reward_manager"] {
            reader.scope(group).ignored(["source", "module"], because: noRewardModels)
        }
        reader.ignored(
            ["reward.sandbox_fusion", "reward_model.sandbox_fusion", "sandbox_fusion"],
            because: "no built-in reward runs code; write your own")
    }
}
