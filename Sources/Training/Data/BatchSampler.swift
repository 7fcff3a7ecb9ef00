/// Gives the rows of a data set in batches, epoch after epoch without end.
///
/// Every epoch has an order of its own; rows that do not fill a last batch wait for the next
/// epoch's order, as verl drops them. The position is one number, so a run can go on from it.
package struct BatchSampler<Row: Sendable>: Sendable {
    private let rows: [Row]
    private let batchSize: Int
    private let seed: Int?
    private var order: [Int] = []
    private var orderEpoch = -1
    /// Batches given so far.
    private var batchesTaken = 0

    /// Prepares to give batches.
    ///
    /// - Parameters:
    ///   - seed: of the orders; nil keeps the rows in theirs.
    ///   - name: the data set in messages.
    ///   - key: the setting of the batch size in messages.
    /// - Throws: when there are fewer rows than a batch has.
    init(rows: [Row], batchSize: Int, seed: Int?, name: String, key: String)
        throws(TrainingError)
    {
        guard batchSize <= rows.count else {
            throw TrainingError(
                "\(key) is \(batchSize), but \(name) has only \(rows.count) rows to use: set it to"
                    + " \(rows.count) or less.")
        }
        self.rows = rows
        self.batchSize = batchSize
        self.seed = seed
    }

    /// Whole batches in an epoch.
    package var batchesPerEpoch: Int { rows.count / batchSize }

    /// The epoch of the last batch given, from 0.
    package var epoch: Int { max(0, batchesTaken - 1) / batchesPerEpoch }

    /// Whether so many epochs have been given whole.
    package func hasEnded(afterEpochs epochs: Int) -> Bool {
        batchesTaken >= epochs * batchesPerEpoch
    }

    /// Rows given so far: the position to save.
    package var rowsTaken: Int { batchesTaken * batchSize }

    /// The next batch, always of full size.
    package mutating func next() -> [Row] {
        let epoch = batchesTaken / batchesPerEpoch
        if epoch != orderEpoch {
            order =
                seed.map { RowOrder.shuffled(count: rows.count, seed: $0, epoch: epoch) }
                ?? Array(rows.indices)
            orderEpoch = epoch
        }
        let start = batchesTaken % batchesPerEpoch * batchSize
        batchesTaken += 1
        return order[start..<start + batchSize].map { rows[$0] }
    }

    /// Goes to a position saved earlier.
    ///
    /// - Throws: when it lies within a batch: the batch size was another one then.
    package mutating func advance(to rowsTaken: Int) throws(TrainingError) {
        guard rowsTaken >= 0, rowsTaken.isMultiple(of: batchSize) else {
            throw TrainingError(
                "The checkpoint was made after \(rowsTaken) rows, which are no whole batches of"
                    + " \(batchSize): keep the batch size with which the run began.")
        }
        batchesTaken = rowsTaken / batchSize
    }
}

/// The prompts of RL steps in batches.
package typealias PromptSampler = BatchSampler<PromptRow>

extension PromptSampler {
    /// Gives batches of the prompts that are sampled at once.
    package init(_ dataset: PromptDataset, _ settings: DataSettings) throws(TrainingError) {
        try self.init(
            rows: dataset.rows, batchSize: settings.rolloutBatchSize,
            seed: settings.shuffle ? settings.seed : nil, name: dataset.name,
            key: settings.rolloutBatchSize == settings.trainBatchSize
                ? "data.train_batch_size" : "data.gen_batch_size")
    }
}

/// The rows of supervised fine-tuning in batches.
package typealias ResponseSampler = BatchSampler<ResponseRow>

extension ResponseSampler {
    /// Gives shuffled batches of `data.train_batch_size` rows.
    package init(_ dataset: ResponseDataset, _ settings: SFTDataSettings, seed: Int)
        throws(TrainingError)
    {
        try self.init(
            rows: dataset.rows, batchSize: settings.trainBatchSize, seed: seed,
            name: dataset.name, key: "data.train_batch_size")
    }
}
