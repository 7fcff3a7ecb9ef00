/// What an engine's steps took.
///
/// A step that reads prompts counts as prefill with all its tokens, those of responses under way
/// included; every other step as decoding.
package struct EngineTimes: Sendable, Equatable {
    /// Tokens that went through the model, and the time that they took.
    package struct Work: Sendable, Equatable {
        package private(set) var tokens = 0
        package private(set) var seconds = 0.0

        /// Tokens a second; `nil` when there were none.
        package var tokensPerSecond: Double? {
            tokens > 0 && seconds > 0 ? Double(tokens) / seconds : nil
        }

        fileprivate mutating func add(_ tokens: Int, _ duration: Duration) {
            self.tokens += tokens
            seconds += duration / .seconds(1)
        }
    }

    package private(set) var prefill = Work()
    package private(set) var decode = Work()
    /// When the first token of any response was there.
    package private(set) var firstToken: ContinuousClock.Instant?

    /// Counts a step that ran from `start` until now.
    mutating func add(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest],
        since start: ContinuousClock.Instant
    ) {
        let now = ContinuousClock.now
        let readsPrompts = scheduled.contains { entry in
            entry.positions.lowerBound < running[entry.index].request.prompt.count
        }
        let tokens = scheduled.reduce(0) { $0 + $1.positions.count }
        if readsPrompts {
            prefill.add(tokens, now - start)
        } else {
            decode.add(tokens, now - start)
        }
        if firstToken == nil, scheduled.contains(where: \.samples) { firstToken = now }
    }
}
