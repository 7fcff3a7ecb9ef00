package import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The folder of one run: the resolved configuration, `metrics.jsonl` and one folder a checkpoint.
///
/// ```
/// config.yaml
/// metrics.jsonl
/// latest_checkpointed_iteration.txt
/// global_step_20/actor/lora_adapter/{adapter_config.json,adapter_model.safetensors}
/// ```
package struct RunDirectory: Sendable {
    package let path: String

    /// Makes the folder if it is not there.
    ///
    /// - Parameters:
    ///   - key: the setting that names the folder, for messages.
    package init(_ path: String, key: String) throws {
        self.path = path
        do {
            try makeFolders(path)
        } catch {
            throw TrainingError("\(key): \(error)")
        }
    }

    /// Removes whatever an earlier run left in the folder; returns how many checkpoints that were.
    @discardableResult
    package func clear() throws -> Int {
        let checkpoints = try checkpointSteps().count
        for name in try FileManager.default.contentsOfDirectory(atPath: path)
        where Self.belongsToRun(name) {
            try FileManager.default.removeItem(atPath: "\(path)/\(name)")
        }
        return checkpoints
    }

    /// The steps that have a checkpoint, in order.
    package func checkpointSteps() throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: path)
            .compactMap { $0.wholeNumber(after: "global_step_") }.sorted()
    }

    /// The step of the checkpoint that was saved last, or `nil` if there is none.
    ///
    /// That is the noted one: after a run went on from an earlier checkpoint, later steps of the
    /// run before may still lie in the folder.
    package func newestCheckpointStep() throws -> Int? {
        let steps = try checkpointSteps()
        guard fileExists(notePath) else { return steps.last }
        let note = String(decoding: try [UInt8](contentsOfFile: notePath), as: UTF8.self)
        guard let step = Int(note.filter { !$0.isWhitespace }), steps.contains(step) else {
            throw TrainingError(
                "\(notePath) says \"\(note.prefix(40))\", but the checkpoints beside it are of the "
                    + "steps \(steps): write one of them, or remove the file to take the last.")
        }
        return step
    }

    /// Where the checkpoint of `step` lies.
    package func checkpoint(step: Int) -> String { "\(path)/global_step_\(step)" }

    /// Notes that the checkpoint of `step` is whole.
    package func noteCheckpoint(step: Int) throws(FormatError) {
        try AtomicFile.write("\(step)", to: notePath)
    }

    private var notePath: String { "\(path)/\(Self.noteName)" }

    private static let noteName = "latest_checkpointed_iteration.txt"

    /// Checkpoints and what a crash left of one (`global_step_20.partial-77`), but not a copy that
    /// the user made beside them (`global_step_20_good`).
    private static func belongsToRun(_ name: String) -> Bool {
        let stem = name.split(separator: ".", maxSplits: 1).first.map(String.init) ?? name
        return stem.wholeNumber(after: "global_step_") != nil || name == "metrics.jsonl"
            || name == "config.yaml" || name == noteName
    }
}

extension String {
    /// The number that follows `prefix`, when there is nothing else.
    fileprivate func wholeNumber(after prefix: String) -> Int? {
        guard hasPrefix(prefix) else { return nil }
        let digits = dropFirst(prefix.count)
        return digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
    }
}
