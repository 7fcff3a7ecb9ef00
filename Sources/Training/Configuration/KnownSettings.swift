package import Settings

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The keys of one of the trainers, for those who look at a configuration without running it.
package struct KnownSettings: Sendable {
    /// Every key, with its value in the configuration given.
    package let declarations: [SettingDeclaration]
    /// The configuration in force as a tree; `???` stands where a value must still be given.
    package let resolved: SettingNode
    /// What is to be said at the start of a run.
    package let notices: [String]
    /// What is wrong with the configuration; nil for nothing.
    package let problem: SettingsError?

    /// Which program the keys are for.
    package enum Trainer: String, CaseIterable, Sendable {
        /// Reinforcement learning, `lorikeet train`.
        case train
        /// Supervised fine-tuning, `lorikeet sft`.
        case sft
    }

    /// Reads a command's arguments as a draft, in which needed keys may be missing.
    ///
    /// - Throws: where a file or an argument cannot be read at all; other errors are `problem`.
    package init(
        _ trainer: Trainer, arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) {
        let tree = try SettingsTree.load(arguments: arguments, environment: environment)
        let reader = SettingsReader(tree, isDraft: true)
        problem = Self.read(trainer, reader)
        resolved = reader.resolved
        notices = SettingsReport(reader).notices
        guard problem != nil else {
            declarations = reader.declarations
            return
        }
        // What comes after the mistake was not read: those keys are known with their defaults.
        let empty = SettingsReader(
            SettingsTree(root: SettingNode(.map(SettingMap())), environment: [:]), isDraft: true)
        _ = Self.read(trainer, empty)
        let known = Set(reader.declarations.map(\.key))
        declarations =
            reader.declarations + empty.declarations.filter { !known.contains($0.key) }
    }

    private static func read(_ trainer: Trainer, _ reader: SettingsReader) -> SettingsError? {
        do throws(SettingsError) {
            switch trainer {
            case .train: _ = try TrainSettings(reader)
            case .sft: _ = try SFTSettings(reader)
            }
            return nil
        } catch {
            return error
        }
    }

    /// The keys that must still be given.
    package var missing: [SettingDeclaration] {
        declarations.filter { $0.value?.isMissingMark == true }
    }
}
