import Dispatch
import Foundation
import Synchronization

/// A child process that is written lines to and read lines from, and that can be killed.
///
/// Nothing here blocks a task: reading and writing happen on threads of their own, and every wait has
/// a time limit.
final class ScoringProcess: Sendable {
    /// What came of waiting for a line.
    enum Answer: Sendable, Equatable {
        /// A line, without its end.
        case line([UInt8])
        /// The process has ended; how, in words, with the last lines it wrote to standard error.
        case ended(String)
        /// Nothing came within the time limit.
        case timedOut
        /// The waiting task was cancelled.
        case cancelled
    }

    private let child: ChildProcess
    private let inbox = Mutex(LineInbox())
    private let errors = Mutex(ErrorTail())
    private let writing = DispatchQueue(label: "lorikeet.reward.write")

    /// Starts a program.
    ///
    /// - Throws: when the operating system cannot start it.
    init(executable: String, arguments: [String]) throws {
        // Writing to a child that has died must be an error, not our end.
        signal(SIGPIPE, SIG_IGN)
        child = try ChildProcess(executable: executable, arguments: arguments)
        startReading()
    }

    deinit { child.kill() }

    /// Lines that arrived although nothing was asked; asking again would confuse answers.
    var hasUnclaimedLine: Bool { inbox.withLock { $0.hasLine } }

    /// Writes a line, and its end, without waiting for the child to read it.
    func send(_ line: String) {
        let data = Data((line + "\n").utf8)
        // A failed write means that the child has died or closed its input; waiting will tell.
        writing.async { [child] in try? child.input.write(contentsOf: data) }
    }

    /// The next line that the child writes, within a time limit.
    func nextLine(within limit: Duration) async -> Answer {
        let ticket = inbox.withLock { $0.newTicket() }
        let timer = DispatchWorkItem { [weak self] in self?.giveUp(ticket, .timedOut) }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: timer)
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = inbox.withLock { $0.wait(ticket, continuation) }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            giveUp(ticket, .cancelled)
        }
    }

    /// Ends the child: its input is closed, and what has not ended within the time is killed.
    func close(within limit: Duration) async {
        writing.async { [child] in try? child.input.close() }
        let deadline = ContinuousClock.now + limit
        while child.isRunning, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
        kill()
    }

    /// Ends the child and its process group at once.
    func kill() { child.kill() }

    private func giveUp(_ ticket: Int, _ answer: Answer) {
        inbox.withLock { $0.giveUp(ticket, answer) }?.resume(returning: answer)
    }

    /// Threads that live until the child's output ends.
    private func startReading() {
        let finished = DispatchGroup()
        read(child.output, finished) { [weak self] bytes in
            guard let self else { return }
            let (waiting, line, overflow) = inbox.withLock { $0.receive(bytes) }
            if overflow { kill() }
            if let line { waiting?.resume(returning: .line(line)) }
        }
        read(child.errors, finished) { [weak self] bytes in
            // The user's prints and tracebacks stay visible.
            try? FileHandle.standardError.write(contentsOf: Data(bytes))
            self?.errors.withLock { $0.append(bytes) }
        }
        child.whenEnded { [weak self] reason in
            DispatchQueue.global().async {
                // A grandchild may hold the pipes open after the child's end: this wait is bounded.
                _ = finished.wait(timeout: .now() + 0.2)
                self?.end(reason)
            }
        }
    }

    private func read(
        _ handle: FileHandle, _ group: DispatchGroup, _ body: @escaping @Sendable ([UInt8]) -> Void
    ) {
        group.enter()
        Thread.detachNewThread {
            while true {
                let data = handle.availableData
                if data.isEmpty { break }
                body([UInt8](data))
            }
            group.leave()
        }
    }

    private func end(_ reason: String) {
        let tail = errors.withLock { $0.text }
        let words = tail.isEmpty ? reason : "\(reason), and wrote: \(tail)"
        inbox.withLock { $0.end(words) }?.resume(returning: .ended(words))
    }
}

extension Duration {
    /// In seconds, with their fraction.
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
