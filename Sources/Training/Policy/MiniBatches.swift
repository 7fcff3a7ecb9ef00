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

    /// The indices of each mini-batch's samples, epoch after epoch.
    ///
    /// - Parameters:
    ///   - count: the step's samples, a multiple of `size`.
    ///   - step: the number of the step, which keys the shuffling.
    package func indices(of count: Int, step: Int) -> [[Int]] {
        (0..<epochs).flatMap { epoch in
            let order = order(of: count, step: step, epoch: epoch)
            return stride(from: 0, to: count, by: size).map { Array(order[$0..<$0 + size]) }
        }
    }

    private func order(of count: Int, step: Int, epoch: Int) -> [Int] {
        guard shuffles else { return Array(0..<count) }
        return RowOrder.shuffled(count: count, seed: seed, epoch: step << 16 | epoch)
    }
}
