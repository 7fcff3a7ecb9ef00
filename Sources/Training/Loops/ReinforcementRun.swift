import Formats
import Rewards
import Rollouts
import Settings
package import Tensors

/// One reinforcement-learning run: rollouts, rewards, advantages and updates, step by step, in a
/// folder of its own.
package final class ReinforcementRun {
    private let settings: TrainSettings
    private let device: ChosenDevice
    private let parts: ReinforcementParts
    private let validation: Validation?
    private let rollout: StepRollout
    private let learner: Learner
    private let directory: RunDirectory
    private let checkpoints: CheckpointStore
    private let dumps: ResponseDumps
    private var sampler: PromptSampler
    private var state: TrainerState
    private var log: MetricsLog
    private var console: RunConsole
    private var lastSaved: SavedCheckpoint?
    /// Checkpoints of an earlier run that this one removed.
    private let removedCount: Int

    /// Makes a run on the device that its settings ask for, and carries it out.
    package static func carryOut(_ settings: TrainSettings) async throws -> RunOutcome {
        let device = try settings.trainer.run.openDevice()
        return try await Device.$current.withValue(device.device) {
            try await ReinforcementRun(settings, on: device).run()
        }
    }

    /// Loads model, data and reward, and makes the run's folder; nothing is trained yet.
    ///
    /// - Parameter device: what is current while the run is made and carried out.
    /// - Throws: one sentence on the first thing that is missing, broken or contradictory.
    package init(
        _ settings: TrainSettings, on device: ChosenDevice = ChosenDevice(.current)
    ) async throws {
        self.settings = settings
        self.device = device
        Threads.setCount(settings.trainer.run.threads)
        parts = try await ReinforcementParts(settings)
        let collector = ResponseCollector(
            engine: parts.engine, tokenizer: parts.tokenizer, reward: parts.reward,
            overlongPenalty: settings.reward.overlongPenalty)
        validation = Validation(collector, parts, settings)
        rollout = StepRollout(
            collector, StepRollout.Settings(settings, stopIDs: parts.stopIDs))
        sampler = try PromptSampler(parts.trainingPrompts, settings.data)
        console = RunConsole(
            totalSteps: try settings.totalSteps(batchesPerEpoch: sampler.batchesPerEpoch))
        learner = Learner(parts, settings, totalSteps: console.totalSteps)
        directory = try RunDirectory(settings.trainer.run.folder, key: "trainer.default_local_dir")
        checkpoints = learner.checkpoints(in: directory)
        dumps = try ResponseDumps(settings.trainer, tokenizer: parts.tokenizer)
        let start = try checkpoints.start(
            settings.trainer.run.resume, clears: !settings.trainer.validatesOnly)
        (state, lastSaved, removedCount) = (start.state, start.checkpoint, start.removedCount)
        try sampler.advance(to: state.promptsTaken)
        try learner.step.restore(state)
        try AtomicFile.write(settings.report.resolved.yaml, to: "\(directory.path)/config.yaml")
        log = try MetricsLog(path: "\(directory.path)/metrics.jsonl", resumingAfter: state.step)
    }

    /// Trains to the end, or until the user stops the run; the adapter is saved either way.
    package func run() async throws -> RunOutcome {
        console.start(settings, parts, device, directory, resumedStep: state.step)
        console.noteRemoved(removedCount)
        var wasInterrupted = false
        do {
            defer { console.clear() }
            try await train()
        } catch is Interrupted {
            wasInterrupted = true
        } catch {
            // What was learned since the last save is kept, if it can be; the error says more than a
            // second one would.
            if state.step > 0 { try? save() }
            await parts.reward.close()
            throw error
        }
        await parts.reward.close()
        try save()
        return RunOutcome(
            steps: state.step, wasInterrupted: wasInterrupted, checkpoint: lastSaved,
            validationChange: console.validationChange, seconds: console.elapsed,
            example: (parts.validationPrompts ?? parts.trainingPrompts).rows.first?.prompt)
    }

    private func train() async throws {
        let isFresh = state.step == 0
        if settings.trainer.validatesOnly || (settings.trainer.validatesFirst && isFresh) {
            try await validate()
        }
        if settings.trainer.validatesOnly { return }
        while state.step < console.totalSteps {
            try Interruption.check()
            let isMade = try await trainOneStep()
            let isLast = !isMade || state.step == console.totalSteps
            if isLast || settings.trainer.run.validationInterval.divides(state.step) {
                try await validate()
            }
            if isLast || settings.trainer.run.saveInterval.divides(state.step) { try save() }
            guard isMade else { return console.noteEndOfPrompts(step: state.step) }
        }
    }

    /// - Returns: whether there were prompts left for a step.
    private func trainOneStep() async throws -> Bool {
        let number = state.step + 1
        var stopwatch = Stopwatch()
        device.device.resetPeakMemory()
        let sampled = try await rollout.run(
            &sampler, step: number, adapter: parts.model.engineAdapter, &stopwatch
        ) { console.show(step: number, $0) }
        guard let sampled else { return false }
        let outcome = try learner.step.run(
            Experience(
                sampled.responses, rewardKeys: settings.algorithm.rewardKeys,
                greedyScores: sampled.greedyScores),
            step: number, rates: learner.rates(step: number), &stopwatch
        ) { console.show(step: number, $0) }
        parts.model.publish()
        state.step = number
        state.promptsTaken = sampler.rowsTaken
        state.klCoefficient = learner.step.klCoefficient
        try dumps.writeRollouts(sampled.responses, step: number)

        var metrics = outcome.metrics
        metrics.addRolloutMetrics(
            sampled, outcome,
            lengthLimits: (settings.data.prompts.maxLength, settings.data.maxResponseLength))
        metrics.addRunMetrics(
            state, sampled.responses, epoch: sampler.epoch, stopwatch, on: device.device)
        try log.append(step: number, metrics)
        console.finishStep(number, metrics)
        return true
    }

    private func validate() async throws {
        guard let validation else { return }
        let start = ContinuousClock.now
        let outcome = try await validation.run(adapter: parts.model.engineAdapter) {
            console.show(step: state.step, "validation \($0)")
        }
        var metrics = outcome.metrics
        metrics["timing_s/testing"] = (ContinuousClock.now - start).seconds
        try log.append(step: state.step, metrics)
        try dumps.writeValidation(outcome.responses, step: state.step)
        console.finishValidation(step: state.step, outcome)
        console.showGenerations(outcome.responses.prefix(settings.trainer.shownGenerations))
    }

    /// Saves what the last save does not hold.
    ///
    /// A step that was cut short between two mini-batches is not counted and will be made again, so
    /// the checkpoint before it, when there is one, is the better place to go on from.
    private func save() throws {
        guard !settings.trainer.validatesOnly, lastSaved?.step != state.step else { return }
        lastSaved = try checkpoints.save(state)
    }
}
