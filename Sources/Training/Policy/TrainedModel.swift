package import Adapters
import Formats
package import Models
package import Rollouts
import Tensors

/// The model of a run: the base from its folder, and what of it is trained.
package final class TrainedModel {
    package let policy: Policy
    /// The trained adapter; `nil` when the whole model is trained.
    package let adapter: LoRAAdapter?
    private let directory: String

    /// Opens the base and makes what is trained: a fresh adapter, one to go on from, or an f32 copy
    /// of every weight.
    ///
    /// - Parameters:
    ///   - directory: the base checkpoint.
    ///   - quantization: how the base is quantised; nil leaves it as it is.
    ///   - seed: of a fresh adapter.
    /// - Throws: when base or adapter cannot be read, or do not fit each other or the settings.
    package init(
        directory: String, lora: LoRASettings, quantization: BaseQuantization? = nil, seed: UInt64
    ) throws {
        self.directory = directory
        let base = try Decoder(directory: directory, quantization: quantization)
        guard lora.isOn else {
            adapter = nil
            policy = .full(base: base)
            return
        }
        let adapter = try Self.adapter(lora, base: base, directory: directory, seed: seed)
        self.adapter = adapter
        policy = .lowRank(
            base: base, adapter: adapter.weights(training: true), parameters: adapter.parameters)
    }

    /// The adapter that the settings ask for: a fresh one, or one to go on from.
    ///
    /// - Parameter group: what stands before the keys of `lora`, for messages.
    static func adapter(
        _ lora: LoRASettings, base: Decoder, directory: String, task: AdapterTask = .causalLM,
        group: String = "", seed: UInt64
    ) throws -> LoRAAdapter {
        guard let path = lora.adapterPath else {
            return try LoRAAdapter(
                LoRAConfig(lora, baseModel: directory, task: task), for: base.config, seed: seed)
        }
        let adapter = try LoRAAdapter(directory: path, for: base.config, task: task)
        if let rank = lora.rank, rank != adapter.config.rank {
            throw TrainingError(
                "\(group)lora_adapter_path: the adapter in \(path) has rank "
                    + "\(adapter.config.rank), but \(group)lora_rank is \(rank); set "
                    + "\(group)lora_rank=\(adapter.config.rank), or leave it out.")
        }
        return adapter
    }

    /// Checks the tokenizer and the longest sequence against the model.
    ///
    /// - Parameter keys: the settings that the longest sequence comes from, for messages.
    func checkFits(_ tokenizer: Tokenizer, longestSequence: Int, keys: String) throws {
        let config = policy.decoder.config
        try tokenizer.checkFits(vocabularySize: config.vocabularySize)
        guard longestSequence <= config.maxPositions else {
            throw TrainingError(
                "\(keys): sequences may have \(longestSequence) tokens, but the model in "
                    + "\(directory) has positions for \(config.maxPositions); lower the former.")
        }
    }

    /// The model and what of it is trained, in two lines for the user.
    var summary: String {
        let config = policy.decoder.config
        let what = adapter.map { "LoRA rank \($0.config.rank)" } ?? "the whole model"
        let kind = policy.decoder.weights.quantization.map { ", \($0.rawValue)" } ?? ""
        return
            "model     \(directory) (\(config.architecture), \(config.layerCount) layers\(kind))\n"
            + "training  \(what), \(policy.parameters.count.grouped) parameters"
    }

    /// What the rollout engine is to serve: the adapter in its present version, or none because the
    /// engine runs on the trained weights themselves.
    package var engineAdapter: EngineAdapter? {
        adapter.map {
            EngineAdapter(name: "policy", version: $0.version, weights: $0.weights(training: false))
        }
    }

    /// Notes that the parameters have changed.
    package func publish() {
        adapter?.publish()
    }

    /// Name of the folder that `save` writes within a checkpoint's `actor` folder, as verl has it.
    package var folderName: String { adapter == nil ? "huggingface" : "lora_adapter" }

    /// Writes the adapter in PEFT's layout, or the whole model as a checkpoint, and reads it back.
    ///
    /// - Throws: also when what was written differs from what is in memory; whatever lay in
    ///   `folder` before is then still there.
    package func save(to folder: String) throws {
        if let adapter {
            try adapter.save(to: folder)
        } else {
            try policy.decoder.save(to: folder, from: directory)
        }
    }

    /// Takes the parameters of an adapter or model that `save` wrote.
    package func restore(from folder: String) throws {
        if let adapter {
            try adapter.restore(from: folder, for: policy.decoder.config)
        } else {
            try restoreWholeModel(from: folder)
        }
        publish()
    }

    private func restoreWholeModel(from folder: String) throws {
        let own = policy.decoder.weights.named.map(\.weight.tensor)
        let saved = try Decoder(directory: folder, on: .cpu).weights.named.map(\.weight.tensor)
        guard zip(own, saved).allSatisfy({ $0.shape == $1.shape }) else {
            throw TrainingError("\(folder) holds a model of another shape than this run's.")
        }
        for (target, source) in zip(own, saved) { target.copy(from: source) }
    }
}

extension LoRAAdapter {
    /// Takes the parameters of an adapter of the same modules, ranks and alphas.
    ///
    /// - Parameter model: what both are made for.
    func restore(from folder: String, for model: DecoderConfig) throws {
        let saved = try LoRAAdapter(directory: folder, for: model, task: config.task)
        guard saved.modules == modules else {
            let what = config.task == .tokenClassification ? "a critic's adapter" : "an adapter"
            throw TrainingError(
                "\(folder) holds \(what) of other modules, ranks or alphas than this run's.")
        }
        parameters.values.copy(from: saved.parameters.values)
    }
}

extension LoRAConfig {
    /// The adapter that a run's settings ask for.
    fileprivate init(_ settings: LoRASettings, baseModel: String, task: AdapterTask) {
        self.init(
            rank: settings.rank ?? 0, alpha: settings.alpha,
            targetModules: ModuleSelection(settings.targets),
            excludeModules: settings.excluded.map(ModuleSelection.init),
            usesRSLoRA: settings.usesRankStabilizedScale,
            rankPattern: settings.rankPattern.sorted { $0.key < $1.key }.map {
                ModulePattern($0.key, $0.value)
            },
            alphaPattern: settings.alphaPattern.sorted { $0.key < $1.key }.map {
                ModulePattern($0.key, $0.value)
            },
            baseModel: baseModel, task: task)
    }
}

extension ModuleSelection {
    fileprivate init(_ targets: LoRATargets) {
        switch targets {
        case .allLinear: self = .allLinear
        case .names(let names): self = .names(names)
        case .pattern(let pattern): self = .pattern(pattern)
        }
    }
}
