import Foundation
import Synchronization

/// A child process with its three pipes.
///
/// `Process` starts it in a process group of its own: Ctrl-C on the terminal does not reach it, and
/// killing the group takes along what it has started itself.
final class ChildProcess: Sendable {
    /// Where its standard input is written.
    let input: FileHandle
    /// Where its standard output is read.
    let output: FileHandle
    /// Where its standard error is read.
    let errors: FileHandle

    private let identifier: pid_t
    private let end = EndOfProcess()

    /// Starts a program.
    ///
    /// - Throws: when the operating system cannot start it.
    init(executable: String, arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        let (inputPipe, outputPipe, errorPipe) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inputPipe
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        input = inputPipe.fileHandleForWriting
        output = outputPipe.fileHandleForReading
        errors = errorPipe.fileHandleForReading
        process.terminationHandler = { [end] in end.report(Self.reason(of: $0)) }
        try process.run()
        identifier = process.processIdentifier
    }

    /// Whether it has not ended yet.
    var isRunning: Bool { end.reason == nil }

    /// Calls a function with how it ended, in words, once it has.
    func whenEnded(_ observer: @escaping @Sendable (String) -> Void) { end.observe(observer) }

    /// Kills it and its process group, if it has not ended.
    func kill() {
        // Once the end is reported the number may belong to another process.
        guard isRunning else { return }
        _ = Foundation.kill(-identifier, SIGKILL)
        _ = Foundation.kill(identifier, SIGKILL)
    }

    private static func reason(of process: Process) -> String {
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal
            ? "was ended by signal \(status)" : "ended with status \(status)"
    }
}

/// How a process ended, for one who may ask before or after.
private final class EndOfProcess: Sendable {
    private struct State {
        var reason: String?
        var observer: (@Sendable (String) -> Void)?
    }

    private let state = Mutex(State())

    var reason: String? { state.withLock { $0.reason } }

    func report(_ reason: String) {
        let observer = state.withLock { state in
            state.reason = reason
            return state.observer
        }
        observer?(reason)
    }

    func observe(_ observer: @escaping @Sendable (String) -> Void) {
        let reason = state.withLock { state in
            if state.reason == nil { state.observer = observer }
            return state.reason
        }
        if let reason { observer(reason) }
    }
}
