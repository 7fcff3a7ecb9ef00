import Settings

/// The adapter that is trained: the LoRA keys of `actor_rollout_ref.model.*` (or `model.*`).
package struct LoRASettings: Sendable {
    /// Rank of the adapter: 0 trains the whole model instead, nil is the rank of `adapterPath`.
    package let rank: Int?
    /// Numerator of the scale alpha / rank.
    package let alpha: Double
    /// Which linear layers get an adapter.
    package let targets: LoRATargets
    /// Layers that get none although `targets` names them; nil for no exception.
    package let excluded: LoRATargets?
    /// Folder of a PEFT adapter from which training goes on.
    package let adapterPath: String?
    /// Whether the scale is alpha / sqrt(rank), https://arxiv.org/abs/2312.03732.
    package let usesRankStabilizedScale: Bool
    /// Ranks of their own, by layer name or regular expression, as in PEFT.
    package let rankPattern: [String: Int]
    /// Alphas of their own, by layer name or regular expression, as in PEFT.
    package let alphaPattern: [String: Double]

    /// Whether an adapter is trained rather than the whole model.
    package var isOn: Bool { rank != 0 }

    /// Reads the keys below a model's group.
    ///
    /// - Parameters:
    ///   - other: the adapter whose rank and alpha stand where no rank is given.
    init(
        _ reader: SettingsReader, inheriting other: LoRASettings? = nil, defaultAlpha: Double = 16
    ) throws(SettingsError) {
        adapterPath = try reader.optionalPath(
            "lora_adapter_path", "Folder of a PEFT adapter to go on from.")
        let inherited = reader.isGiven("lora_rank") ? nil : other
        let actors = "as actor_rollout_ref.model.lora_rank"
        let rank = try reader.derived(other == nil ? nil : actors).optionalInt(
            "lora_rank", default: adapterPath == nil ? other?.rank ?? 0 : nil,
            in: .between(0, 4096),
            "Rank of the LoRA adapter; 0 trains the whole model, null is the rank of"
                + " lora_adapter_path."
                + (other == nil ? "" : " The actor's rank and alpha unless set."))
        self.rank = adapterPath == nil ? rank ?? 0 : rank
        let alphas =
            inherited == nil ? reader : reader.derived("as actor_rollout_ref.model.lora_alpha")
        alpha = try alphas.double(
            "lora_alpha", default: inherited?.alpha ?? defaultAlpha, in: .above(0),
            "The adapter's output is scaled by alpha / rank.")
        targets =
            try reader.targets(
                "target_modules", default: "all-linear",
                "Layers with an adapter: all-linear, a list of names, or a regular expression.")
            ?? .allLinear
        excluded = try reader.targets(
            "exclude_modules", default: nil,
            "Layers without an adapter: a list of names, or a regular expression.")
        usesRankStabilizedScale = try reader.bool(
            "use_rslora", default: false, "Scale by alpha / sqrt(rank) instead.")
        rankPattern = try reader.integerMap(
            "rank_pattern", in: .between(1, 4096), "Ranks of single layers, by name or pattern.")
        alphaPattern = try reader.doubleMap(
            "alpha_pattern", in: .above(0), "Alphas of single layers, by name or pattern.")
        try check(reader)
        try Self.declareOthers(reader)
    }

    private func check(_ reader: SettingsReader) throws(SettingsError) {
        guard !isOn else { return noteAdapterKeys(reader) }
        for key in ["lora_adapter_path", "rank_pattern", "alpha_pattern", "use_rslora"]
        where reader.isGiven(key) {
            let isSet = key != "use_rslora" ? !reader.isEmpty(key) : usesRankStabilizedScale
            guard isSet else { continue }
            throw reader.conflict(
                [key, "lora_rank"],
                "rank 0 is no adapter, so set \(reader.fullKey("lora_rank")) to the adapter's rank or"
                    + " leave \(key) out")
        }
        reader.unusedIfSet(
            ["lora_alpha", "target_modules", "exclude_modules"],
            because: "lora_rank is 0, so the whole model is trained")
    }

    /// An adapter to go on from keeps the shape that it has.
    private func noteAdapterKeys(_ reader: SettingsReader) {
        guard let adapterPath else { return }
        let keys = [
            "lora_alpha", "target_modules", "exclude_modules", "use_rslora", "rank_pattern",
            "alpha_pattern",
        ]
        for key in keys where reader.isGiven(key) {
            reader.unused(key, because: "the adapter in \(adapterPath) brings its own")
        }
    }

    /// The Megatron names of LoRA settings, which verl itself leaves unread under FSDP.
    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        let megatron = reader.scope("lora")
        let names = "this is a Megatron name; write lora_rank, lora_alpha and target_modules"
        try megatron.unsupported("rank", allowed: [0], because: names)
        try megatron.unsupported("adapter_path", allowed: [nil], because: names)
        try megatron.unsupported("type", allowed: ["lora"], because: "LoRA is the one kind here")
        try megatron.unsupported(
            "dropout", allowed: [0, 0.0],
            because: "the policy that sampled is the policy that is trained, so nothing is dropped")
        megatron.ignored(
            "merge", because: "rollouts compute the adapter beside the base: nothing is merged")
        megatron.ignored(
            [
                "alpha", "target_modules", "exclude_modules", "dropout_position",
                "lora_A_init_method", "lora_B_init_method", "a2a_experimental", "dtype",
                "fully_sharded_loras",
            ], because: "Megatron's names are not read; lora_rank, lora_alpha, target_modules are")
        megatron.ignored(
            ["freeze_vision_model", "freeze_vision_projection", "freeze_language_model"],
            because: Reason.textOnly)
        try reader.unsupported(
            "target_parameters", allowed: [nil], because: "adapters go on whole linear layers")
    }
}

/// Which linear layers are meant, in PEFT's terms.
package enum LoRATargets: Sendable, Equatable {
    /// Every linear layer but the output head.
    case allLinear
    /// Layers whose name is one of these or ends in "." and one of these.
    case names([String])
    /// Layers whose whole name matches this regular expression.
    case pattern(String)
}

extension SettingsReader {
    /// Whether the value given for a key is null or empty.
    func isEmpty(_ key: String) -> Bool {
        declarations.first { $0.key == fullKey(key) }?.value?.isEmpty ?? true
    }

    /// PEFT's form of layers: a text is `all-linear` or a regular expression, a list is names.
    fileprivate func targets(_ key: String, default text: String?, _ help: String)
        throws(SettingsError) -> LoRATargets?
    {
        let type = "a list of layer names, all-linear, or a regular expression"
        guard
            let node = try value(key, type: type, default: text.map { .string($0) } ?? .null, help)
        else { return nil }
        switch node.content {
        case .scalar("all-linear", _): return .allLinear
        case .scalar(let pattern, _): return .pattern(pattern)
        case .list(let items):
            var names: [String] = []
            for item in items {
                guard case .scalar(let name, _) = item.content, !item.isNull else {
                    throw invalid(key, "must be \(type)")
                }
                names.append(name)
            }
            if names == ["all-linear"] { return .allLinear }
            if names.isEmpty { throw invalid(key, "must name at least one layer") }
            return .names(names)
        case .map:
            throw invalid(key, "must be \(type)")
        }
    }
}
