import Settings
package import Tensors

/// How tokens are drawn.
package struct ResponseSampling: Sendable, Equatable {
    /// Divides the logits; 0 takes the likeliest token always.
    package let temperature: Double
    /// Draw from the likeliest so many tokens only; nil for all.
    package let topK: Int?
    /// Draw from the likeliest tokens that together have this probability.
    package let topP: Double
    /// Responses to each prompt.
    package let responseCount: Int

    /// Whether nothing is left to chance.
    package var isGreedy: Bool { temperature == 0 }
}

/// How responses are generated: the keys `actor_rollout_ref.rollout.*`.
package struct RolloutSettings: Sendable {
    /// How the responses that are learned from are drawn; `responseCount` is the group size.
    package let sampling: ResponseSampling
    /// How the responses of a validation are drawn.
    package let validationSampling: ResponseSampling
    /// Whether a response goes on after an end-of-sequence token.
    package let ignoreEOS: Bool
    /// Most sequences that are decoded at once.
    package let maxSequences: Int
    /// Most tokens that one forward pass of the engine computes.
    package let maxBatchedTokens: Int
    /// Whether a prompt may be computed in parts over several forward passes.
    package let chunksPrompts: Bool
    /// The most of the machine's memory that the KV cache may take, as a share.
    package let cacheMemoryShare: Double
    /// Whether sequences that begin with the same tokens share their KV blocks.
    package let reusesPrefixes: Bool
    /// Longest prompt with response; nil for max_prompt_length + max_response_length.
    package let maxModelLength: Int?
    /// Seed of the sampling.
    package let seed: Int
    /// How the engine holds what goes into a product with a quantised weight.
    package let activations: ActivationPrecision
    /// How many samples are computed at once when log-probabilities are computed anew.
    package let logProbabilityMicroBatch: MicroBatchSettings

    /// Whether tokens are drawn from the whole distribution, so that their log-probabilities can be
    /// compared with training's: those of a distribution that `top_k` or `top_p` cut are larger.
    var drawsFromWhole: Bool { sampling.topK == nil && sampling.topP == 1 }

    /// Reads `actor_rollout_ref.rollout.*`.
    init(_ reader: SettingsReader, actor: MicroBatchSettings, defaultSeed: Int)
        throws(SettingsError)
    {
        sampling = try Self.sampling(reader)
        validationSampling = try Self.validationSampling(reader.scope("val_kwargs"))
        ignoreEOS = try reader.bool(
            "ignore_eos", default: false, "Go on after an end-of-sequence token.")
        maxSequences = try reader.int(
            "max_num_seqs", default: 256, in: .atLeast(1),
            "Most sequences that are decoded at once.")
        maxBatchedTokens = try reader.int(
            "max_num_batched_tokens", default: 8192, in: .atLeast(1),
            "Most tokens that one forward pass of the engine computes.")
        chunksPrompts = try reader.bool(
            "enable_chunked_prefill", default: true,
            "Compute a prompt in parts where max_num_batched_tokens does not hold it whole.")
        cacheMemoryShare = try reader.double(
            "gpu_memory_utilization", default: 0.5, in: .above(0, upTo: 1),
            "The most of the machine's memory that the KV cache may take, as a share; on a GPU the most"
                + " of its memory that weights, what is trained and the KV cache take together.")
        reusesPrefixes = try reader.bool(
            "enable_prefix_caching", default: true,
            "Compute the beginning that prompts share, a group's whole prompt, once.")
        maxModelLength = try reader.optionalInt(
            "max_model_len", in: .atLeast(2),
            "Longest prompt with response; null for the sum of both limits of data.")
        seed =
            try reader.optionalInt("seed", "Seed of the sampling; null for trainer.seed.")
            ?? defaultSeed
        activations = try reader.choice(
            "activations", default: ActivationPrecision.float32,
            "What rollouts multiply quantised weights with: float32 as training does, or activations"
                + " rounded to int8, which is faster; needs"
                + " actor_rollout_ref.model.quantization=int8 or int4, and the difference is"
                + " corrected by algorithm.rollout_correction.")
        logProbabilityMicroBatch = try MicroBatchSettings(
            reader, .logProbabilities, inherited: actor)
        Self.declareEngine(reader)
        try Self.declareOthers(reader)
    }

    private static func sampling(_ reader: SettingsReader) throws(SettingsError) -> ResponseSampling
    {
        try reader.unsupported(
            "do_sample", allowed: [true],
            because: "without sampling all responses of a group are the same")
        return ResponseSampling(
            temperature: try reader.double(
                "temperature", default: 1, in: .atLeast(0.001),
                "Divides the logits; the higher, the more varied."),
            topK: try reader.topK(), topP: try reader.topP(),
            responseCount: try reader.int(
                "n", default: 1, in: .between(1, 65536),
                "Responses to each prompt, which form a group."))
    }

    private static func validationSampling(_ reader: SettingsReader) throws(SettingsError)
        -> ResponseSampling
    {
        let temperature = try reader.double(
            "temperature", default: 0, in: .atLeast(0),
            "Divides the logits in validation, where do_sample is true.")
        let samples = try reader.bool(
            "do_sample", default: false, "Draw validation responses by chance; false is greedy.")
        let sampling = ResponseSampling(
            temperature: samples ? temperature : 0, topK: try reader.topK(),
            topP: try reader.topP(),
            responseCount: try reader.int(
                "n", default: 1, in: .between(1, 65536), "Responses to each validation prompt."))
        if !samples {
            reader.unusedIfSet(
                ["temperature", "top_k", "top_p"], because: "val_kwargs.do_sample is false")
        }
        if samples, temperature == 0 {
            throw reader.conflict(
                ["do_sample", "temperature"], "sampling needs a temperature above 0")
        }
        if sampling.isGreedy, sampling.responseCount > 1 {
            throw reader.conflict(
                ["n", "do_sample"],
                "greedy responses are all the same, so set n to 1 or do_sample to true")
        }
        return sampling
    }

    /// Settings of the engines that verl drives, which have nothing to set here.
    private static func declareEngine(_ reader: SettingsReader) {
        reader.ignored(["name", "mode"], because: "Lorikeet has its own engine")
        reader.ignored(
            [
                "engine_kwargs", "disable_log_stats", "prometheus", "trace", "agent",
                "skip_tokenizer_init", "scheduling_policy", "moe_load_balance_metrics_interval",
            ],
            because: "it belongs to engines that verl drives")
        reader.ignored("profiler", because: Reason.profiler)
        reader.ignored(
            [
                "free_cache_engine", "load_format", "layered_summon", "multi_stage_wake_up",
                "checkpoint_engine", "update_weights_bucket_megabytes", "enable_sleep_mode",
            ],
            because: Reason.sharedWeights)
        reader.ignored(
            ["enforce_eager", "cudagraph_capture_sizes"], because: "this build computes on the CPU")
        reader.ignored("dtype", because: Reason.weightTypes)
        reader.ignored(
            [
                "tensor_model_parallel_size", "data_parallel_size", "expert_parallel_size",
                "pipeline_model_parallel_size", "nnodes", "n_gpus_per_node", "disaggregation",
            ],
            because: Reason.oneProcess)
        reader.ignored("calculate_log_probs", because: "they are always kept")
        reader.ignored("limit_images", because: Reason.textOnly)
        reader.ignored("skip_dump_dir", because: "rollouts are never skipped")
        reader.ignored("full_determinism", because: Reason.deterministic)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        try reader.unsupported(
            "multi_turn.enable", allowed: [false], because: "a rollout is one prompt, one response")
        reader.scope("multi_turn").ignored(
            [
                "max_assistant_turns", "tool_config_path", "function_tool_path", "max_user_turns",
                "max_parallel_calls", "max_tool_response_length", "tool_response_truncate_side",
                "interaction_config_path", "use_inference_chat_template",
                "tokenization_sanity_check_mode", "format", "num_repeat_rollouts",
            ], because: "a rollout is one prompt, one response")
        try reader.unsupported(
            "logprobs_mode", allowed: ["processed_logprobs"],
            because: "log-probabilities are those under the sampled distribution")
        try reader.unsupported(
            "over_sample_rate", allowed: [0, 0.0], because: "every response is waited for")
        try reader.unsupported(
            "skip_rollout", allowed: [false], because: "rollouts are never taken from a file")
        for key in ["quantization", "quantization_config_file"] {
            try reader.unsupported(
                key, allowed: [nil],
                because: "rollouts use the weights of training, which"
                    + " actor_rollout_ref.model.quantization quantises for both")
        }
        try reader.refuseQuantizedTraining()
        try reader.unsupported(
            "mtp.enable", allowed: [false], because: "one token is predicted at a time")
        reader.ignored("mtp", because: "one token is predicted at a time")
        try reader.unsupported(
            "enable_rollout_routing_replay", allowed: [false],
            because: "mixture-of-experts models are not supported yet")
    }
}

extension SettingsReader {
    /// `top_k`, where -1 stands for all tokens.
    fileprivate func topK() throws(SettingsError) -> Int? {
        let count = try int(
            "top_k", default: -1, in: .atLeast(1).or(-1),
            "Draw from the likeliest so many tokens only; -1 for all.")
        return count == -1 ? nil : count
    }

    /// `top_p`, where 1 stands for all tokens.
    fileprivate func topP() throws(SettingsError) -> Double {
        try double(
            "top_p", default: 1, in: .above(0, upTo: 1),
            "Draw from the likeliest tokens that together have this probability.")
    }
}
