import Foundation
import OracleFixtures

/// The built `lorikeet`, run as a process of its own.
enum Program {
    /// How a run of the program ended.
    struct Result {
        /// The exit status; 128 and the signal's number where a signal ended it.
        let status: Int32
        /// All of standard output.
        let output: String
        /// All of standard error.
        let error: String

        var outputLines: [String] { output.split(separator: "\n").map(String.init) }
        var errorLines: [String] { error.split(separator: "\n").map(String.init) }
    }

    /// The executable, which lies beside the bundles of the tests.
    static let path = URL(filePath: OracleFixtures.path("")).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "lorikeet").path

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - preparation: shell commands before the program takes the shell's place, such as limits.
    static func run(_ arguments: [String], preparation: String? = nil) throws -> Result {
        try withTemporaryFolder { folder in
            let running = try start(arguments, preparation: preparation, folder: folder)
            return try running.result()
        }
    }

    /// A program under way.
    struct Running {
        let process: Process
        fileprivate let folder: String

        /// Waits for its end.
        func result() throws -> Result {
            process.waitUntilExit()
            let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
            return Result(
                status: process.terminationStatus + signal, output: try text("output"),
                error: try text("error"))
        }

        private func text(_ name: String) throws -> String {
            try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        }
    }

    /// Starts the program; its output goes to files in `folder`, so that no pipe can fill up.
    static func start(
        _ arguments: [String], preparation: String? = nil, folder: String
    ) throws -> Running {
        let process = Process()
        if let preparation {
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", preparation + #"; exec "$0" "$@""#, path] + arguments
        } else {
            process.executableURL = URL(filePath: path)
            process.arguments = arguments
        }
        // What is compared with references is computed on the CPU, wherever the tests run, and no
        // compiled kernels are left in the user's folder.
        process.environment = ProcessInfo.processInfo.environment
            .merging(["LORIKEET_CUDA_LIBRARIES": "/no/such/folder"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try file("\(folder)/output")
        process.standardError = try file("\(folder)/error")
        try process.run()
        return Running(process: process, folder: folder)
    }

    private static func file(_ path: String) throws -> FileHandle {
        try Data().write(to: URL(filePath: path))
        return try FileHandle(forWritingTo: URL(filePath: path))
    }
}

/// The path of a tiny model.
func tinyModel(_ name: String = "qwen2-tiny") -> String { OracleFixtures.path("models/\(name)") }
