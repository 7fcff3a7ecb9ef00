import Objectives

/// How a step's samples become the mini-batches of its updates.
package struct MiniBatches: Sendable {
    /// Samples a mini-batch: one optimizer update each.
    package var size: Int
    /// Passes over the step's samples.
    package var epochs: Int
    /// Whether samples are put in a new order each epoch.
    package var shuffles: Bool
    package var seed: Int

    package init(size: Int, epochs: Int, shuffles: Bool, seed: Int) {
        self.size = size
        self.epochs = epochs
        self.shuffles = shuffles
        self.seed = seed
    }

    /// Updates that so many samples give.
    package func updateCount(of samples: Int) -> Int { epochs * (samples / size) }

    /// The samples of each mini-batch, epoch after epoch; one in which every token is masked is
    /// left out, because AdamW would move the parameters even without a gradient.
    ///
    /// - Parameters:
    ///   - samples: the step's, a multiple of `size`.
    ///   - step: the number of the step, which keys the shuffling.
    package func batches(of samples: [PolicySample], step: Int) -> [[PolicySample]] {
        let all = (0..<epochs).flatMap { epoch in
            let order = order(of: samples.count, step: step, epoch: epoch)
            return stride(from: 0, to: samples.count, by: size).map { start in
                order[start..<start + size].map { samples[$0] }
            }
        }
        return all.filter { $0.responseLayout.unmaskedTokenCount > 0 }
    }

    private func order(of count: Int, step: Int, epoch: Int) -> [Int] {
        guard shuffles else { return Array(0..<count) }
        return RowOrder.shuffled(count: count, seed: seed, epoch: step << 16 | epoch)
    }
}
