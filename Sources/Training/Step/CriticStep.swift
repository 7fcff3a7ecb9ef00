/// The settings of the critic's part of a step.
package struct CriticStepSettings: Sendable {
    package var update: ValueUpdateSettings
    package var miniBatches: MiniBatches
    /// How many samples are computed at once where only values are wanted.
    package var valueMicroBatches: MicroBatchSettings

    package init(
        update: ValueUpdateSettings, miniBatches: MiniBatches,
        valueMicroBatches: MicroBatchSettings
    ) {
        self.update = update
        self.miniBatches = miniBatches
        self.valueMicroBatches = valueMicroBatches
    }
}

/// The critic's part of a step: values before the advantages, updates after them.
package struct CriticStep {
    private let critic: TrainedCritic
    private let optimizer: Optimizer
    private let settings: CriticStepSettings

    package init(_ critic: TrainedCritic, _ optimizer: Optimizer, _ settings: CriticStepSettings) {
        self.critic = critic
        self.optimizer = optimizer
        self.settings = settings
    }

    /// The value of each response token of each sample, without a gradient.
    ///
    /// - Throws: `Interrupted` between two micro-batches.
    package func values(of samples: [PolicySample]) throws -> [[Float]] {
        try criticValues(
            of: samples, critic, settings.valueMicroBatches,
            betweenMicroBatches: Interruption.check)
    }

    /// One optimizer update for each mini-batch of each epoch.
    ///
    /// - Parameters:
    ///   - samples: with the `values` and `returns` of their response tokens.
    ///   - step: the number of the step, which keys the shuffling.
    ///   - progress: called before each update with what it is.
    /// - Returns: verl's `critic/...` metrics, the mean over the updates.
    /// - Throws: `Interrupted` between two micro-batches; the updates made so far stay.
    package func update(
        _ samples: [PolicySample], step: Int, learningRate: Double, progress: (String) -> Void
    ) throws -> [String: Double] {
        let skippedBefore = optimizer.skippedUpdates
        var sums: [String: Double] = [:]
        let batches = settings.miniBatches.batches(of: samples, step: step)
        for (number, miniBatch) in batches.enumerated() {
            progress("critic update \(number + 1)")
            let gradient = try accumulateValueGradient(
                critic, miniBatch, settings.update,
                betweenMicroBatches: Interruption.check)
            sums.merge(gradient.metrics, uniquingKeysWith: +)
            sums["critic/grad_norm", default: 0] += optimizer.update(learningRate: learningRate)
        }
        var metrics = sums.mapValues { $0 / Double(batches.count) }
        metrics["critic/lr"] = learningRate
        metrics["critic/skipped_updates"] = Double(optimizer.skippedUpdates - skippedBefore)
        return metrics
    }
}
