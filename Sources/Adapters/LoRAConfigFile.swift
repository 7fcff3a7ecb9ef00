package import Formats

extension LoRAConfig {
    /// Name of the file in a PEFT folder.
    package static let fileName = "adapter_config.json"

    /// Keys that are read below.
    private static let readKeys: Set = [
        "peft_type", "r", "lora_alpha", "target_modules", "exclude_modules", "use_rslora",
        "rank_pattern", "alpha_pattern", "lora_dropout", "base_model_name_or_path", "bias",
        "init_lora_weights", "task_type", "modules_to_save",
    ]
    /// Keys that say nothing of what a trained adapter computes.
    private static let harmlessKeys: Set = [
        "auto_mapping", "corda_config", "ensure_weight_tying", "eva_config", "inference_mode",
        "layers_pattern", "loftq_config", "lora_ga_config", "megatron_core", "peft_version",
        "qalora_group_size", "revision", "runtime_config",
    ]

    /// Reads the parsed content of an `adapter_config.json`.
    ///
    /// - Parameter name: path of the file, for messages.
    /// - Throws: for another kind of adapter, an option that would change what is computed and is
    ///   not built, and a missing or impossible value.
    package init(_ json: JSON, name: String) throws(AdapterError) {
        guard let fields = json.object else {
            throw AdapterError("\(name) must hold an object, found \(json.kind).")
        }
        let reader = FieldReader(fields: fields, name: name)
        guard fields["peft_type"]?.string?.uppercased() == "LORA" else {
            throw reader.mismatch("peft_type", "\"LORA\"; no other kind of adapter is supported")
        }
        try Self.refuseUnsupported(reader)
        self.init(
            rank: try reader.rank("r", fields["r"]),
            alpha: try reader.number("lora_alpha", fields["lora_alpha"]),
            targetModules: try reader.selection("target_modules"),
            excludeModules: try reader.isInert("exclude_modules")
                ? nil : reader.selection("exclude_modules"),
            usesRSLoRA: try reader.bool("use_rslora"),
            rankPattern: try reader.patterns("rank_pattern", reader.rank),
            alphaPattern: try reader.patterns("alpha_pattern", reader.number),
            dropout: try reader.isInert("lora_dropout")
                ? 0 : reader.number("lora_dropout", fields["lora_dropout"]),
            baseModel: fields["base_model_name_or_path"]?.string,
            task: try reader.task())
        if case .allLinear? = excludeModules {
            throw reader.mismatch("exclude_modules", "a list of names or a regular expression")
        }
    }

    private static func refuseUnsupported(_ reader: FieldReader) throws(AdapterError) {
        if !reader.isInert("bias"), reader.fields["bias"] != "none" {
            throw reader.mismatch("bias", "\"none\"; trained biases are not supported")
        }
        // Some initialisations change the base model's weights, so the adapter alone is not enough.
        let initialisation = reader.fields["init_lora_weights"] ?? true
        guard
            initialisation.bool != nil || initialisation.isNull
                || ["gaussian", "eva", "orthogonal"].contains(initialisation.string)
        else {
            throw reader.mismatch(
                "init_lora_weights", "true, false, \"gaussian\", \"eva\" or \"orthogonal\"")
        }
        for key in reader.fields.keys
        where !readKeys.contains(key) && !harmlessKeys.contains(key) && !reader.isInert(key) {
            throw reader.mismatch(key, "absent; this option is not supported")
        }
    }

    /// The content of the `adapter_config.json` that PEFT and serving engines read.
    package var json: JSON {
        var fields: [(String, JSON)] = [
            ("alpha_pattern", Self.table(alphaPattern) { Self.json($0) }),
            ("auto_mapping", .null),
            ("base_model_name_or_path", baseModel.map { .string($0) } ?? .null),
            ("bias", "none"),
            ("exclude_modules", excludeModules.map(Self.json) ?? .null),
            ("fan_in_fan_out", false),
            ("inference_mode", true),
            ("init_lora_weights", true),
            ("layers_pattern", .null),
            ("layers_to_transform", .null),
            ("lora_alpha", Self.json(alpha)),
            ("lora_bias", false),
            ("lora_dropout", .number(dropout)),
            (
                "modules_to_save",
                task.modulesToSave.isEmpty ? .null : .array(task.modulesToSave.map { .string($0) })
            ),
            ("peft_type", "LORA"),
            ("r", .integer(rank)),
            ("rank_pattern", Self.table(rankPattern) { .integer($0) }),
            ("revision", .null),
        ]
        fields += [
            ("target_modules", Self.json(targetModules)),
            ("task_type", .string(task.rawValue)),
            ("use_dora", false),
            ("use_rslora", .bool(usesRSLoRA)),
        ]
        return .object(JSONObject(fields))
    }

    /// A whole number stays one: some readers take no other kind of `lora_alpha`.
    private static func json(_ number: Double) -> JSON {
        Int(exactly: number).map { .integer($0) } ?? .number(number)
    }

    private static func table<Value>(
        _ patterns: [ModulePattern<Value>], _ json: (Value) -> JSON
    ) -> JSON {
        .object(JSONObject(patterns.map { ($0.key, json($0.value)) }))
    }

    /// «all-linear» is written as the projections' names, which every reader understands.
    private static func json(_ selection: ModuleSelection) -> JSON {
        switch selection {
        case .allLinear: .array(ProjectionName.all.sorted().map { .string($0) })
        case .names(let names): .array(names.map { .string($0) })
        case .pattern(let pattern): .string(pattern)
        }
    }
}

/// Typed reads whose errors name the file and the key.
private struct FieldReader {
    let fields: JSONObject
    let name: String

    func mismatch(_ key: String, _ value: JSON?, _ wanted: String) -> AdapterError {
        let found = value.map { "is \($0.serialized())" } ?? "is missing"
        return AdapterError("\(name): \(key) \(found); it must be \(wanted).")
    }

    func mismatch(_ key: String, _ wanted: String) -> AdapterError {
        mismatch(key, fields[key], wanted)
    }

    /// Whether a key is absent or has a value that switches its option off.
    func isInert(_ key: String) -> Bool {
        switch fields[key] {
        case nil, .null?, .bool(false)?, .string("")?: true
        case .array(let elements)?: elements.isEmpty
        case .object(let object)?: object.isEmpty
        default: false
        }
    }

    func rank(_ key: String, _ value: JSON?) throws(AdapterError) -> Int {
        guard let rank = value?.int, rank > 0 else {
            throw mismatch(key, value, "a whole number of at least 1")
        }
        return rank
    }

    func number(_ key: String, _ value: JSON?) throws(AdapterError) -> Double {
        guard let number = value?.double, number.isFinite else {
            throw mismatch(key, value, "a number")
        }
        return number
    }

    func bool(_ key: String) throws(AdapterError) -> Bool {
        if isInert(key) { return false }
        guard let flag = fields[key]?.bool else { throw mismatch(key, "true or false") }
        return flag
    }

    /// The task, whose own modules are the only ones that may be saved whole.
    func task() throws(AdapterError) -> AdapterTask {
        let task = fields["task_type"]?.string.flatMap(AdapterTask.init) ?? .causalLM
        let saved = fields["modules_to_save"]
        let isOwn = saved?.array?.allSatisfy {
            task.modulesToSave.contains($0.string ?? "")
        }
        guard isInert("modules_to_save") || isOwn == true else {
            throw mismatch("modules_to_save", "absent; this option is not supported")
        }
        return task
    }

    func selection(_ key: String) throws(AdapterError) -> ModuleSelection {
        switch fields[key] {
        case .string(let text)? where !text.isEmpty:
            return text.lowercased() == "all-linear" ? .allLinear : .pattern(text)
        case .array(let elements)? where !elements.isEmpty:
            let names = elements.compactMap(\.string)
            guard names.count == elements.count else { fallthrough }
            return .names(names)
        default: throw mismatch(key, "a list of module names or a regular expression")
        }
    }

    func patterns<Value>(
        _ key: String, _ read: (String, JSON?) throws(AdapterError) -> Value
    ) throws(AdapterError) -> [ModulePattern<Value>] {
        if isInert(key) { return [] }
        guard let table = fields[key]?.object else {
            throw mismatch(key, "an object from module names to numbers")
        }
        var patterns: [ModulePattern<Value>] = []
        for (pattern, value) in table {
            patterns.append(ModulePattern(pattern, try read("\(key): \(pattern)", value)))
        }
        return patterns
    }
}
