import Formats
import Models
import Tensors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The checkpoints of one run, in verl's folders:
///
/// ```
/// global_step_20/actor/lora_adapter/     adapter_config.json, adapter_model.safetensors
/// global_step_20/actor/optimizer.safetensors
/// global_step_20/actor/reference_adapter/    where the reference is a moving average
/// global_step_20/critic/...              the same of PPO's critic
/// global_step_20/trainer_state.json
/// latest_checkpointed_iteration.txt      20
/// ```
package struct CheckpointStore {
    private let run: RunDirectory
    private let model: TrainedModel
    private let optimizer: Optimizer
    /// Whether the optimizer's moments are saved, without which a run cannot go on.
    private let savesOptimizer: Bool
    /// How many checkpoints are kept; `nil` keeps all.
    private let keptCount: Int?
    private let reference: ReferenceModel?
    private let critic: CriticCheckpoint?

    package init(
        _ run: RunDirectory, _ model: TrainedModel, _ optimizer: Optimizer, savesOptimizer: Bool,
        keptCount: Int?, reference: ReferenceModel? = nil, critic: CriticCheckpoint? = nil
    ) {
        self.run = run
        self.model = model
        self.optimizer = optimizer
        self.savesOptimizer = savesOptimizer
        self.keptCount = keptCount
        self.reference = reference
        self.critic = critic
    }

    /// The folder that holds the trained adapter or model of `step`.
    package func modelFolder(step: Int) -> String {
        "\(run.checkpoint(step: step))/actor/\(model.folderName)"
    }

    /// Writes the checkpoint of `state` whole or not at all; earlier ones stay until it is.
    ///
    /// The optimizers' own counts are saved, which a step that was cut short between two
    /// mini-batches has moved on although the step is not counted.
    package func save(_ state: TrainerState) throws -> SavedCheckpoint {
        var state = state
        state.optimizerStep = optimizer.step
        state.criticOptimizerStep = critic?.optimizer.step
        state.quantization = model.policy.base.weights.quantization?.rawValue
        state.criticQuantization = critic?.critic.decoder.weights.quantization?.rawValue
        let folder = try AtomicFolder(replacing: run.checkpoint(step: state.step))
        let path = folder.partialPath
        try FileManager.default.createDirectory(
            atPath: "\(path)/actor", withIntermediateDirectories: true)
        try model.save(to: "\(path)/actor/\(model.folderName)")
        try reference?.save(to: "\(path)/actor/\(ReferenceModel.folderName)")
        try critic?.save(into: path)
        if savesOptimizer { try optimizer.save(to: "\(path)/actor/\(Optimizer.fileName)") }
        // The state makes the checkpoint one that a run can go on from, which needs all moments.
        if savesOptimizer, critic?.savesOptimizer ?? true {
            try AtomicFile.write(
                state.json.serialized() + "\n", to: "\(path)/\(Self.stateName)")
        }
        try folder.commit()
        try run.noteCheckpoint(step: state.step)
        try removeOldest(upTo: state.step)
        return SavedCheckpoint(step: state.step, modelFolder: modelFolder(step: state.step))
    }

    /// Where a run starts.
    package struct Start {
        package var state = TrainerState()
        /// The checkpoint of the run's own folder that it goes on from.
        package var checkpoint: SavedCheckpoint?
        /// Checkpoints of an earlier run that were removed.
        package var removedCount = 0
    }

    /// Finds where the run starts: at its newest checkpoint, at a given one, or at the beginning.
    ///
    /// - Parameter clears: whether a start at the beginning removes what an earlier run left.
    package func start(_ resume: ResumeSettings, clears: Bool = true) throws -> Start {
        switch resume {
        case .from(let folder): return Start(state: try restore(from: folder))
        case .auto:
            guard let step = try run.newestCheckpointStep() else { break }
            return Start(
                state: try restore(from: run.checkpoint(step: step)),
                checkpoint: SavedCheckpoint(step: step, modelFolder: modelFolder(step: step)))
        case .never: break
        }
        return Start(removedCount: clears ? try run.clear() : 0)
    }

    /// Checkpoints of later steps are another run's, and stay.
    private func removeOldest(upTo lastStep: Int) throws {
        var steps = try run.checkpointSteps().filter { $0 <= lastStep }
        if let keptCount {
            for step in steps.dropLast(keptCount) {
                try FileManager.default.removeItem(atPath: run.checkpoint(step: step))
            }
            steps = steps.suffix(keptCount)
        }
        guard let critic, let keptCount = critic.keptCount else { return }
        for step in steps.dropLast(keptCount) {
            try critic.remove(from: run.checkpoint(step: step))
        }
    }

    /// Puts the run where the checkpoint in `folder` stood.
    private func restore(from folder: String) throws -> TrainerState {
        guard fileExists(folder) else {
            throw TrainingError("trainer.resume_from_path: there is no folder \(folder).")
        }
        let statePath = "\(folder)/\(Self.stateName)"
        guard fileExists(statePath) else {
            throw TrainingError(
                "\(folder) cannot be resumed: it lacks \(Self.stateName) (it was saved without "
                    + "'optimizer' among checkpoint.save_contents).")
        }
        let state = try TrainerState(JSON(contentsOfFile: statePath), name: statePath)
        try checkCritic(state, statePath)
        try checkQuantization(state, statePath)
        try Self.checkKind(model.folderName, in: "\(folder)/actor")
        try model.restore(from: "\(folder)/actor/\(model.folderName)")
        try reference?.restore(from: "\(folder)/actor/\(ReferenceModel.folderName)")
        try optimizer.restore(
            from: "\(folder)/actor/\(Optimizer.fileName)", step: state.optimizerStep)
        try critic?.restore(from: folder, optimizerStep: state.criticOptimizerStep ?? 0)
        return state
    }

    /// An adapter goes on as an adapter, a whole model as a whole model.
    ///
    /// - Parameter name: the folder that this run would have written.
    static func checkKind(_ name: String, in folder: String) throws(TrainingError) {
        let kinds = ["lora_adapter": "an adapter", "huggingface": "a whole model"]
        for (other, kind) in kinds where other != name && fileExists("\(folder)/\(other)") {
            guard !fileExists("\(folder)/\(name)") else { continue }
            throw TrainingError(
                "\(folder) holds \(kind), but this run trains \(kinds[name] ?? name): set "
                    + "lora_rank as it was.")
        }
    }

    /// A run goes on with a critic exactly when it began with one.
    private func checkCritic(_ state: TrainerState, _ path: String) throws {
        guard (state.criticOptimizerStep == nil) != (critic == nil) else { return }
        throw TrainingError(
            critic == nil
                ? "\(path) is of a run with a critic, but this run has none; set "
                    + "algorithm.adv_estimator as it was."
                : "\(path) is of a run without a critic, but this run has one; set "
                    + "algorithm.adv_estimator as it was.")
    }

    /// An adapter goes on over the weights that it learned on.
    private func checkQuantization(_ state: TrainerState, _ path: String) throws(TrainingError) {
        func check(
            _ saved: String?, _ own: DecoderWeights?, _ whose: String, _ key: String
        ) throws(TrainingError) {
            guard let own, saved != own.quantization?.rawValue else { return }
            func words(_ kind: String?) -> String { kind ?? "not quantised" }
            throw TrainingError(
                "\(path) is of a run whose \(whose) was \(words(saved)), but this run's is "
                    + "\(words(own.quantization?.rawValue)); set \(key) as it was.")
        }
        try check(
            state.quantization, model.policy.base.weights, "base",
            "actor_rollout_ref.model.quantization (model.quantization of sft)")
        try check(
            state.criticQuantization, critic?.critic.decoder.weights, "critic's base",
            "critic.model.quantization")
    }

    private static let stateName = "trainer_state.json"
}

extension Optimizer {
    /// Name of the file beside what is trained.
    static let fileName = "optimizer.safetensors"

    /// Writes both moments, `[count]` each.
    func save(to path: String) throws(FormatError) {
        try SafetensorsWriter.write(
            [
                SafetensorsSource(name: "first_moments", state.firstMoments),
                SafetensorsSource(name: "second_moments", state.secondMoments),
            ], to: path)
    }

    /// Takes the moments that `save` wrote after `step` updates.
    func restore(from path: String, step: Int) throws {
        let file = try SafetensorsFile(path: path)
        for (name, target) in [
            ("first_moments", state.firstMoments), ("second_moments", state.secondMoments),
        ] {
            let entry = try file.entry(name)
            guard entry.shape == target.shape, entry.dtype == .f32 else {
                throw TrainingError(
                    "\(path): \"\(name)\" is \(entry.dtype.rawValue) \(entry.shape), but this "
                        + "run trains F32 \(target.shape).")
            }
            target.copy(from: try Tensor(mapping: entry, of: file))
            guard target.isFinite else {
                throw TrainingError(
                    "\(path): \"\(name)\" has a value that is not a finite number; go on from an "
                        + "earlier checkpoint.")
            }
        }
        state.step = step
    }
}
