#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a run's checkpoints hold of its critic, in a `critic` folder beside `actor`.
package struct CriticCheckpoint {
    let critic: TrainedCritic
    let optimizer: Optimizer
    /// Whether the optimizer's moments are saved, without which a run cannot go on.
    let savesOptimizer: Bool
    /// How many checkpoints keep their critic; `nil` for all.
    let keptCount: Int?

    package init(
        _ critic: TrainedCritic, _ optimizer: Optimizer, savesOptimizer: Bool, keptCount: Int?
    ) {
        self.critic = critic
        self.optimizer = optimizer
        self.savesOptimizer = savesOptimizer
        self.keptCount = keptCount
    }

    /// Writes the critic into the folder of a checkpoint that is being put together.
    func save(into checkpoint: String) throws {
        let folder = "\(checkpoint)/critic"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try critic.save(to: "\(folder)/\(critic.folderName)")
        if savesOptimizer { try optimizer.save(to: "\(folder)/\(Optimizer.fileName)") }
    }

    /// Takes critic and optimizer from a checkpoint that `save` wrote into.
    func restore(from checkpoint: String, optimizerStep: Int) throws {
        let folder = "\(checkpoint)/critic"
        guard FileManager.default.fileExists(atPath: folder) else {
            throw TrainingError(
                "\(checkpoint) cannot be resumed: its critic is not there; "
                    + "trainer.max_critic_ckpt_to_keep removes those of older checkpoints.")
        }
        try CheckpointStore.checkKind(critic.folderName, in: folder)
        try critic.restore(from: "\(folder)/\(critic.folderName)")
        try optimizer.restore(from: "\(folder)/\(Optimizer.fileName)", step: optimizerStep)
    }

    /// Removes the critic of an old checkpoint, if it is still there.
    func remove(from checkpoint: String) throws {
        let folder = "\(checkpoint)/critic"
        guard FileManager.default.fileExists(atPath: folder) else { return }
        try FileManager.default.removeItem(atPath: folder)
    }
}
