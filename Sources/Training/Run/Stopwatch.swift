/// Seconds spent in the named phases of one step, under verl's `timing_s/...` names.
package struct Stopwatch {
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    /// Seconds by phase.
    package private(set) var seconds: [String: Double] = [:]

    package init() {
        start = clock.now
    }

    /// Seconds since the stopwatch was made.
    package var elapsed: Double { (clock.now - start).seconds }

    /// Adds the time that `body` takes to `phase`.
    package mutating func measure<Result>(
        _ phase: String, _ body: () throws -> Result
    ) rethrows -> Result {
        let begin = clock.now
        defer { seconds[phase, default: 0] += (clock.now - begin).seconds }
        return try body()
    }

    /// Adds seconds that were measured elsewhere.
    package mutating func add(_ phase: String, _ time: Double) {
        seconds[phase, default: 0] += time
    }
}

extension Duration {
    /// The duration in seconds.
    package var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
