import Formats
import Models
import Settings
package import Tensors

/// One run of supervised fine-tuning: the model learns the responses of its data, update by
/// update, in a folder of its own.
package final class SupervisedRun {
    private let settings: SFTSettings
    private let model: TrainedModel
    private let device: ChosenDevice
    private let kept: KeptActivations
    private let optimizer: Optimizer
    private let schedule: LearningRateSchedule
    private let validationSamples: [PolicySample]
    private let checkpoints: CheckpointStore
    private let totalSteps: Int
    private var sampler: ResponseSampler
    private var state: TrainerState
    private var log: MetricsLog
    private var progress = ProgressLine()
    private var lastSaved: SavedCheckpoint?
    private let start = ContinuousClock.now
    private let firstStep: Int

    /// Makes a run on the device that its settings ask for, and carries it out.
    package static func carryOut(_ settings: SFTSettings) throws -> RunOutcome {
        let device = try settings.trainer.run.openDevice()
        return try Device.$current.withValue(device.device) {
            try SupervisedRun(settings, on: device).run()
        }
    }

    /// Loads model and data, and makes the run's folder; nothing is trained yet.
    ///
    /// - Parameter device: what is current while the run is made and carried out.
    /// - Throws: one sentence on the first thing that is missing, broken or contradictory.
    package init(
        _ settings: SFTSettings, on device: ChosenDevice = ChosenDevice(.current)
    ) throws {
        self.settings = settings
        self.device = device
        Threads.setCount(settings.trainer.run.threads)
        let tokenizer = try Tokenizer(directory: settings.model.tokenizerPath)
        let encoder = try PromptEncoder(
            tokenizer, customTemplate: settings.model.customChatTemplate)
        let rows = try ResponseDataset(
            files: settings.data.trainFiles, settings.data.rows, encoder,
            limit: settings.data.trainMaxSamples)
        let validation = try Self.validationRows(settings, encoder)
        model = try TrainedModel(
            directory: settings.model.path, lora: settings.model.lora,
            quantization: settings.model.quantization.base,
            seed: UInt64(bitPattern: Int64(settings.trainer.run.seed)))
        try model.checkFits(
            tokenizer, longestSequence: settings.data.rows.maxLength, keys: "data.max_length")
        validationSamples = validation.map(PolicySample.init)
        sampler = try ResponseSampler(rows, settings.data, seed: settings.trainer.run.seed)
        totalSteps = min(
            settings.trainer.run.totalSteps ?? .max,
            settings.trainer.run.totalEpochs * sampler.batchesPerEpoch)
        optimizer = Optimizer(
            model.policy.parameters, AdamWSettings(settings.optimizer),
            maximumNorm: settings.optimizer.gradientClip)
        kept = settings.model.activationMemory.kept(on: device.device)
        schedule = LearningRateSchedule(settings.optimizer, totalSteps: totalSteps)
        let directory = try RunDirectory(
            settings.trainer.run.folder, key: "trainer.default_local_dir")
        checkpoints = CheckpointStore(
            directory, model, optimizer,
            savesOptimizer: settings.trainer.checkpoint.savesOptimizer,
            keptCount: settings.trainer.run.keptCheckpoints)
        let start = try checkpoints.start(settings.trainer.run.resume)
        (state, lastSaved) = (start.state, start.checkpoint)
        firstStep = state.step
        try sampler.advance(to: state.promptsTaken)
        try AtomicFile.write(settings.report.resolved.yaml, to: "\(directory.path)/config.yaml")
        log = try MetricsLog(path: "\(directory.path)/metrics.jsonl", resumingAfter: state.step)
        introduce(directory, rowCount: rows.rows.count)
    }

    private static func validationRows(
        _ settings: SFTSettings, _ encoder: PromptEncoder
    ) throws -> [ResponseRow] {
        guard !settings.data.validationFiles.isEmpty else { return [] }
        return try ResponseDataset(
            files: settings.data.validationFiles, settings.data.rows, encoder,
            limit: settings.data.validationMaxSamples
        ).rows
    }

    private func introduce(_ directory: RunDirectory, rowCount: Int) {
        progress.write(model.summary)
        progress.write("device    \(model.policy.base.computing(on: device))")
        if let memory = device.memoryInUse { progress.write("memory    \(memory)") }
        progress.write(
            "data      \(rowCount.grouped) rows, "
                + "\(validationSamples.count.grouped) for validation")
        progress.write(
            "updates   \(totalSteps) of \(settings.data.trainBatchSize) rows")
        progress.write("folder    \(directory.path)")
        if state.step > 0 { progress.write("resuming  after update \(state.step)") }
        for notice in settings.report.notices { progress.write("note      \(notice)") }
        for line in advice(settings, for: model.policy.base) {
            progress.write("advice    \(line)")
        }
    }

    /// Trains to the end, or until the user stops the run; the model is saved either way.
    package func run() throws -> RunOutcome {
        var wasInterrupted = false
        do {
            while state.step < totalSteps {
                try Interruption.check()
                try update()
                let isLast = state.step == totalSteps
                if isLast || settings.trainer.run.validationInterval.divides(state.step) {
                    try validate()
                }
                if isLast || settings.trainer.run.saveInterval.divides(state.step) { try save() }
            }
        } catch is Interrupted {
            wasInterrupted = true
        } catch {
            // What was learned since the last save is kept, if it can be; the error says more than a
            // second one would.
            if state.step > 0 { try? save() }
            throw error
        }
        try save()
        return RunOutcome(
            steps: state.step, wasInterrupted: wasInterrupted, checkpoint: lastSaved,
            validationChange: nil, seconds: (ContinuousClock.now - start).seconds, example: nil)
    }

    private func update() throws {
        var stopwatch = Stopwatch()
        let samples = sampler.next().map(PolicySample.init)
        let rate = schedule.rate(step: state.step)
        let (loss, norm) = try stopwatch.measure("update") {
            let loss = try accumulateSupervisedGradient(
                model.policy, samples, settings.data.microBatch,
                keeping: kept,
                betweenMicroBatches: Interruption.check)
            return (loss, optimizer.update(learningRate: rate))
        }
        model.publish()
        state.step += 1
        state.promptsTaken += samples.count
        let tokens = samples.reduce(0) { $0 + $1.computedTokenCount }
        let throughput = Double(tokens) / stopwatch.elapsed
        try log.append(
            step: state.step,
            [
                "train/loss": loss, "train/grad_norm": norm, "train/lr": rate,
                "train/skipped_updates": Double(optimizer.skippedUpdates),
                "perf/throughput": throughput, "timing_s/step": stopwatch.elapsed,
                "perf/max_memory_allocated_gb":
                    Double(device.device.peakMemory) / Double(1 << 30),
                "training/epoch": Double(sampler.epoch),
            ])
        report(loss: loss, norm: norm, throughput: throughput)
    }

    /// A live line for each update, and one that stays for every twentieth of the run.
    private func report(loss: Double, norm: Double, throughput: Double) {
        let done = state.step - firstStep
        let left =
            (ContinuousClock.now - start).seconds / Double(done)
            * Double(totalSteps - state.step)
        let line =
            "update \(state.step)/\(totalSteps)  loss \(loss.formatted(digits: 4))  "
            + "grad \(norm.formatted(digits: 3))  \(throughput.formatted(digits: 0)) tokens/s  "
            + "\(left.asDuration) left"
        let interval = max(1, totalSteps / 20)
        if state.step % interval == 0 || state.step == totalSteps {
            progress.write(line)
        } else {
            progress.show(line)
        }
    }

    private func validate() throws {
        guard !validationSamples.isEmpty else { return }
        let loss = try supervisedLoss(
            model.policy, validationSamples, settings.data.microBatch,
            betweenMicroBatches: Interruption.check)
        try log.append(step: state.step, ["val/loss": loss])
        progress.write(
            "validation after update \(state.step)  loss \(loss.formatted(digits: 4)) over "
                + "\(validationSamples.count) rows")
    }

    private func save() throws {
        guard lastSaved?.step != state.step else { return }
        progress.clear()
        lastSaved = try checkpoints.save(state)
    }
}

extension PolicySample {
    /// A row whose response is learned as it stands.
    fileprivate init(_ row: ResponseRow) {
        self.init(prompt: row.promptIDs, response: row.responseIDs)
    }
}
