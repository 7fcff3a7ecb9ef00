/// How a run ended.
package struct RunOutcome: Sendable {
    /// Steps made, those before a resume included.
    package let steps: Int
    /// Whether the user stopped it.
    package let wasInterrupted: Bool
    /// The last checkpoint; none when the run was a validation only.
    package let checkpoint: SavedCheckpoint?
    /// The first and last validation's reward, as a sentence's part.
    package let validationChange: String?
    /// Seconds that it took.
    package let seconds: Double
    /// A prompt of the data, to try the model with.
    package let example: Prompt?
}

/// Where a checkpoint's adapter or model lies.
package struct SavedCheckpoint: Sendable {
    package let step: Int
    package let modelFolder: String
}

extension Int? {
    /// Whether `step` is one of every so many; none is when there is no interval.
    func divides(_ step: Int) -> Bool {
        guard let interval = self else { return false }
        return step % interval == 0
    }
}
