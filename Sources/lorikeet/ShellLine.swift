import Foundation

/// A command line to show, which does the same when it is pasted into a shell.
struct ShellLine {
    private(set) var text: String

    /// The beginning of a line that calls this program: as it was called itself, or `swift run`
    /// for one that was built in `folder`.
    static func ofThisProgram(
        called program: String = CommandLine.arguments.first ?? "lorikeet",
        in folder: String = FileManager.default.currentDirectoryPath
    ) -> ShellLine {
        guard program.hasPrefix(".build/") || program.hasPrefix(folder + "/.build/") else {
            return ShellLine(text: quoted(program))
        }
        let isRelease = program.contains("/release/")
        return ShellLine(text: "swift run \(isRelease ? "-c release " : "")lorikeet")
    }

    /// Adds arguments, quoted where the shell would change them.
    mutating func append(_ arguments: String...) {
        for argument in arguments { text += " " + Self.quoted(argument) }
    }

    private static func quoted(_ argument: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-")
        if !argument.isEmpty, argument.allSatisfy(plain.contains) { return argument }
        return "'" + argument.replacingOccurrences(of: "'", with: #"'\''"#) + "'"
    }
}
