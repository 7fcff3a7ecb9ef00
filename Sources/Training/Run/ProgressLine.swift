import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the user sees of a run on standard error: a line for each step and, on a terminal, a live
/// one below that says what is going on.
package struct ProgressLine {
    private let isTerminal: Bool
    private var isShowing = false
    private var lastUpdate: ContinuousClock.Instant?

    package init() {
        let kind = ProcessInfo.processInfo.environment["TERM"] ?? "dumb"
        isTerminal = isatty(STDERR_FILENO) == 1 && kind != "dumb"
    }

    /// Writes a line that stays.
    package mutating func write(_ line: String) {
        clear()
        Self.put(line + "\n")
    }

    /// Shows `line` until the next one, at most ten times a second; nothing off a terminal.
    package mutating func show(_ line: @autoclosure () -> String) {
        guard isTerminal else { return }
        let now = ContinuousClock.now
        if let lastUpdate, now - lastUpdate < .milliseconds(100) { return }
        lastUpdate = now
        isShowing = true
        // Without the terminal's wrapping: it cuts the line at its edge, whatever its width, and
        // one line is all that has to be cleared.
        Self.put("\r\u{1B}[?7l\(line())\u{1B}[K\u{1B}[?7h")
    }

    /// Takes the live line away.
    package mutating func clear() {
        guard isShowing else { return }
        Self.put("\r\u{1B}[K")
        isShowing = false
    }

    private static func put(_ text: String) {
        // Not through stdio's buffer, so that a live line appears without a line feed.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

extension Double {
    /// The number with `digits` digits after the point.
    package func formatted(digits: Int) -> String {
        guard isFinite else { return "\(self)" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (abs(self) * scale).rounded()
        guard rounded < 9e15 else { return "\(self)" }
        let whole = Int(rounded / scale)
        let sign = self < 0 && rounded > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(Int(rounded) % Int(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    /// A number of seconds as a person says it: `48s`, `3m 20s`, `2h 05m`.
    package var asDuration: String {
        let total = Int(rounded())
        let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60)
        if hours > 0 { return "\(hours)h \(minutes < 10 ? "0" : "")\(minutes)m" }
        return minutes > 0 ? "\(minutes)m \(seconds < 10 ? "0" : "")\(seconds)s" : "\(seconds)s"
    }
}
