import Settings

// Keys of verl about how weights and work are spread over many devices. Here one process holds the
// one copy of the weights, so a copied command runs, and the start says why these keys do nothing.

/// Why a key of verl has no meaning here: clauses that follow "as".
enum Reason {
    static let oneCopy =
        "one process holds the one copy of the weights, so there is nothing to shard or offload"
    static let oneProcess = "one process on this machine does all the work"
    static let sharedWeights =
        "rollouts and training share one copy of the weights, so there is nothing to synchronise"
    static let packed = "samples are always laid end to end without padding"
    static let fusedHead = "the output head is fused and never holds all logits"
    static let weightTypes =
        "weights keep the type of the checkpoint; adapters, gradients and AdamW are f32"
    static let mapped =
        "a checkpoint is mapped where it lies: the page cache keeps it in memory as /dev/shm would,"
        + " and with no copy there is none to go stale"
    static let deterministic =
        "a run is always a function of its seed, to the last bit, whatever the number of threads and"
        + " however samples are batched"
    static let internals = "it belongs to the inner workings of verl"
    static let profiler = "timings of each step are in metrics.jsonl"
    static let textOnly = "models here read text only"
}

extension SettingsReader {
    /// The keys of a group such as `fsdp_config`, each known by its name.
    func ignoredFSDP(_ group: String) throws(SettingsError) {
        let reader = scope(group)
        reader.ignored(
            [
                "param_offload", "optimizer_offload", "grad_offload", "offload_policy",
                "cpu_offload", "offload_params", "wrap_policy", "reshard_after_forward",
                "fsdp_size", "forward_prefetch", "use_orig_params", "strategy", "forward_only",
                "turbo_config", "ulysses_sequence_parallel_size",
            ], because: Reason.oneCopy)
        reader.ignored(["model_dtype", "dtype", "mixed_precision"], because: Reason.weightTypes)
        reader.ignored("seed", because: "trainer.seed sets every seed of a run")
        reader.ignored("full_determinism", because: Reason.deterministic)
        reader.ignored(["pad_to_length", "pad_to_length_bucket"], because: Reason.packed)
        reader.ignoredHead()
        try reader.refuseQuantizedTraining()
    }

    /// How the output head is computed.
    func ignoredHead() {
        ignored(
            [
                "entropy_from_logits_with_chunking", "entropy_from_logits_chunk_size",
                "entropy_checkpointing", "sum_pi_squared_checkpointing", "use_torch_compile",
            ], because: Reason.fusedHead)
    }

    /// Keys of roles that run on other engines of verl than FSDP.
    func ignoredEngines() {
        ignored(
            ["strategy", "megatron", "veomni", "torchtitan", "automodel"], because: Reason.oneCopy)
    }

    /// Training with rounded weights (`qat.*`).
    func refuseQuantizedTraining() throws(SettingsError) {
        try unsupported(
            "qat.enable", allowed: [false], because: "training with rounded weights is not there")
        ignored("qat", because: "training with rounded weights is not there")
    }

    /// Replay of the routing of mixture-of-experts models (`router_replay.*`).
    func refuseRouterReplay() throws(SettingsError) {
        let reason = "mixture-of-experts models are not supported yet"
        try unsupported("router_replay.mode", allowed: ["disabled", nil], because: reason)
        ignored(["router_replay.record_file", "router_replay.replay_file"], because: reason)
    }
}
