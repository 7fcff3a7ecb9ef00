import Adapters
import Formats
import Models
import Rewards
import Tensors

/// What a reinforcement-learning run tells its user, on standard error.
struct RunConsole {
    let totalSteps: Int
    private var progress = ProgressLine()
    private let start = ContinuousClock.now
    private var firstStep = 0
    private var firstValidation: Double?
    private var lastValidation: Double?
    private var lastStepLine = ""

    init(totalSteps: Int) {
        self.totalSteps = totalSteps
    }

    /// What is about to happen: model, data, what trains, and what was set without effect.
    mutating func start(
        _ settings: TrainSettings, _ parts: ReinforcementParts, _ device: ChosenDevice,
        _ directory: RunDirectory, resumedStep: Int
    ) {
        firstStep = resumedStep
        progress.write(parts.model.summary)
        if let critic = parts.critic { progress.write(critic.summary) }
        progress.write("device    \(parts.model.policy.base.computing(on: device))")
        if let memory = device.memoryInUse { progress.write("memory    \(memory)") }
        progress.write(
            "data      \(describe(parts.trainingPrompts)) prompts, "
                + "\(parts.validationPrompts.map(describe) ?? "0") for validation")
        progress.write(
            "steps     \(totalSteps) of \(settings.data.trainBatchSize) prompts x "
                + "\(settings.rollout.sampling.responseCount) responses")
        progress.write("folder    \(directory.path)")
        if resumedStep > 0 { progress.write("resuming  after step \(resumedStep)") }
        for notice in settings.report.notices { progress.write("note      \(notice)") }
        for line in advice(settings, RunFacts(settings, parts)) {
            progress.write("advice    \(line)")
        }
    }

    private func describe(_ prompts: PromptDataset) -> String {
        let left =
            prompts.overlongCount > 0
            ? " (\(prompts.overlongCount.grouped) too long, left out)" : ""
        return "\(prompts.rows.count.grouped)\(left)"
    }

    /// What is going on within a step.
    mutating func show(step: Int, _ phase: String) {
        let (total, last) = (totalSteps, lastStepLine)
        // Padded, so that what follows stays in its place while a count grows.
        let padding = String(repeating: " ", count: max(0, 16 - phase.count))
        progress.show("step \(step)/\(total)  \(phase)\(padding)  \(last)")
    }

    /// The line of a step that is done.
    mutating func finishStep(_ step: Int, _ metrics: [String: Double]) {
        let done = Double(step - firstStep)
        let left = (ContinuousClock.now - start).seconds / done * Double(totalSteps - step)
        func value(_ name: String, _ digits: Int) -> String {
            (metrics[name] ?? .nan).formatted(digits: digits)
        }
        var fields = ["reward \(value("critic/score/mean", 3))"]
        fields.append("length \(value("response_length/mean", 1))")
        if metrics["actor/kl_loss"] != nil { fields.append("kl \(value("actor/kl_loss", 4))") }
        fields.append("\(value("perf/throughput", 0)) tokens/s")
        for (name, updates) in [
            ("actor/skipped_updates", "updates"), ("critic/skipped_updates", "critic updates"),
        ] {
            guard let skipped = metrics[name], skipped > 0 else { continue }
            let count = skipped.formatted(digits: 0)
            fields.append("\(count) \(updates) skipped: gradient not finite")
        }
        let rest = "\(left.asDuration) left"
        // What the terminal may cut off comes last.
        lastStepLine = ([rest] + fields).joined(separator: "  ")
        progress.write("step \(step)/\(totalSteps)  " + (fields + [rest]).joined(separator: "  "))
    }

    /// Says what became of an earlier run's checkpoints in the folder.
    mutating func noteRemoved(_ count: Int) {
        guard count > 0 else { return }
        progress.write(
            "note      removed \(count) checkpoint\(count == 1 ? "" : "s") of an earlier run "
                + "(trainer.resume_mode=disable)")
    }

    /// Says that a run ends before its last step, because its prompts have all been used.
    mutating func noteEndOfPrompts(step: Int) {
        progress.write(
            "the prompts have been gone through trainer.total_epochs times after \(step) of "
                + "\(totalSteps) steps: groups left out (algorithm.filter_groups) used them up")
    }

    mutating func finishValidation(step: Int, _ outcome: Validation.Outcome) {
        if firstValidation == nil {
            firstValidation = outcome.meanScore
        } else {
            lastValidation = outcome.meanScore
        }
        progress.write(
            "validation after step \(step)  reward \(outcome.meanScore.formatted(digits: 3))"
                + " over \(outcome.responses.count) responses")
    }

    /// Some of the responses of a validation, for the user to read.
    mutating func showGenerations(_ responses: some Collection<ScoredResponse>) {
        for response in responses {
            progress.write(
                "  \(response.row.name): \(response.text.debugDescription), expected "
                    + "\(response.row.groundTruth.debugDescription), score "
                    + response.reward.score.formatted(digits: 3))
        }
    }

    /// Takes the live line away.
    mutating func clear() { progress.clear() }

    /// What the validations said: the first, and the last if there were more.
    var validationChange: String? {
        guard let first = firstValidation?.formatted(digits: 3) else { return nil }
        let last = lastValidation.map { " -> " + $0.formatted(digits: 3) } ?? ""
        return "validation reward \(first)\(last)"
    }

    /// Seconds since the console was made.
    var elapsed: Double { (ContinuousClock.now - start).seconds }
}

extension Int {
    /// The number with a comma at every thousand.
    var grouped: String {
        var digits = Substring(String(magnitude))
        var groups: [Substring] = []
        while digits.count > 3 {
            groups.insert(digits.suffix(3), at: 0)
            digits = digits.dropLast(3)
        }
        groups.insert(digits, at: 0)
        return (self < 0 ? "-" : "") + groups.joined(separator: ",")
    }
}
