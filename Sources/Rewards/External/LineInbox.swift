/// Lines that a process has written and nobody has read yet, and the task that waits for one.
struct LineInbox {
    /// The waiting task.
    typealias Waiter = CheckedContinuation<ScoringProcess.Answer, Never>

    /// No answer is longer, so a process that never ends its line cannot fill the memory.
    private static let longestLine = 16 << 20

    private var lines: [[UInt8]] = []
    private var partialLine: [UInt8] = []
    private var waiter: Waiter?
    private var ticket = 0
    private var givenUp: ScoringProcess.Answer?
    private var ending: String?

    /// Whether a line has come that nobody has read.
    var hasLine: Bool { !lines.isEmpty }

    /// A number for one wait, so that what ends an earlier wait cannot end this one.
    mutating func newTicket() -> Int {
        ticket += 1
        givenUp = nil
        return ticket
    }

    /// Takes the answer if there is one, or keeps the task until there is.
    mutating func wait(_ ticket: Int, _ continuation: Waiter) -> ScoringProcess.Answer? {
        precondition(ticket == self.ticket && waiter == nil, "one wait at a time")
        if !lines.isEmpty { return .line(lines.removeFirst()) }
        if let ending { return .ended(ending) }
        if let givenUp { return givenUp }
        waiter = continuation
        return nil
    }

    /// Ends one wait, if it is still the current one.
    mutating func giveUp(_ ticket: Int, _ answer: ScoringProcess.Answer) -> Waiter? {
        guard ticket == self.ticket else { return nil }
        givenUp = answer
        return takeWaiter()
    }

    /// Adds bytes: a waiting task with its line, if one is complete, and whether a line is too long.
    mutating func receive(
        _ bytes: [UInt8]
    ) -> (waiter: Waiter?, line: [UInt8]?, overflow: Bool) {
        for part in bytes.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).dropLast() {
            lines.append(partialLine + part)
            partialLine = []
        }
        let rest = bytes.lastIndex(of: UInt8(ascii: "\n")).map { bytes[($0 + 1)...] } ?? bytes[...]
        partialLine += rest
        let overflow = partialLine.count > Self.longestLine
        guard waiter != nil, !lines.isEmpty else { return (nil, nil, overflow) }
        return (takeWaiter(), lines.removeFirst(), overflow)
    }

    /// The process has ended: a waiting task, and every later one, is told how.
    mutating func end(_ reason: String) -> Waiter? {
        ending = reason
        return takeWaiter()
    }

    private mutating func takeWaiter() -> Waiter? {
        defer { waiter = nil }
        return waiter
    }
}

/// The last lines that a process wrote to standard error.
struct ErrorTail {
    private static let length = 2000

    private var bytes: [UInt8] = []

    /// Adds bytes, and forgets the oldest.
    mutating func append(_ more: [UInt8]) {
        bytes = (bytes + more).suffix(Self.length)
    }

    /// The last line, which is where most programs and Python say what went wrong.
    var text: String {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        let last = lines.last { !$0.allSatisfy { $0 <= UInt8(ascii: " ") } }
        return last.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
