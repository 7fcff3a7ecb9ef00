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
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw TrainingError("cannot make the run's folder \(path) (\(key)): \(error)")
        }
    }

    /// Removes whatever an earlier run left in the folder.
    package func clear() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path)
        where Self.belongsToRun(name) {
            try FileManager.default.removeItem(atPath: "\(path)/\(name)")
        }
    }

    /// The steps that have a checkpoint, in order.
    package func checkpointSteps() throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: path)
            .compactMap { $0.wholeNumber(after: "global_step_") }.sorted()
    }

    /// The folder of the newest whole checkpoint, or `nil` if there is none.
    package func newestCheckpoint() throws -> String? {
        try checkpointSteps().last.map(checkpoint)
    }

    /// Where the checkpoint of `step` lies.
    package func checkpoint(step: Int) -> String { "\(path)/global_step_\(step)" }

    /// Notes that the checkpoint of `step` is whole.
    package func noteCheckpoint(step: Int) throws(FormatError) {
        try AtomicFile.write("\(step)", to: "\(path)/latest_checkpointed_iteration.txt")
    }

    private static func belongsToRun(_ name: String) -> Bool {
        name.hasPrefix("global_step_") || name == "metrics.jsonl" || name == "config.yaml"
            || name == "latest_checkpointed_iteration.txt"
    }
}

extension String {
    /// The number that follows `prefix`, when there is nothing else.
    fileprivate func wholeNumber(after prefix: String) -> Int? {
        guard hasPrefix(prefix) else { return nil }
        let digits = dropFirst(prefix.count)
        return digits.allSatisfy(\.isNumber) ? Int(digits) : nil
    }
}
