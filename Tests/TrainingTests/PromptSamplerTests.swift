import Testing

@testable import Training

struct PromptSamplerTests {
    private func sampler(rows: Int = 10, batch: Int = 3, seed: Int? = 1) throws -> BatchSampler<Int>
    {
        try BatchSampler(
            rows: Array(0..<rows), batchSize: batch, seed: seed, name: "train.jsonl",
            key: "data.train_batch_size")
    }

    @Test("an epoch gives no row twice, and every epoch has an order of its own")
    func epochs() throws {
        var sampler = try sampler()
        #expect(sampler.batchesPerEpoch == 3)
        let first = (0..<3).flatMap { _ in sampler.next() }
        #expect(Set(first).count == 9 && sampler.epoch == 0)
        let second = (0..<3).flatMap { _ in sampler.next() }
        #expect(Set(second).count == 9 && sampler.epoch == 1)
        #expect(first != second && first != first.sorted())
    }

    @Test("without a seed rows keep their order, and the rest of an epoch is dropped")
    func unshuffled() throws {
        var sampler = try sampler(seed: nil)
        let batches = (0..<4).map { _ in sampler.next() }
        #expect(batches == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 1, 2]])
    }

    @Test("a run goes on from a saved position with the same batches")
    func resume() throws {
        var whole = try sampler()
        for _ in 0..<4 { _ = whole.next() }
        let position = whole.rowsTaken
        #expect(position == 12)
        let expected = (0..<5).map { _ in whole.next() }
        var resumed = try sampler()
        try resumed.advance(to: position)
        #expect(resumed.epoch == 1)
        #expect((0..<5).map { _ in resumed.next() } == expected)
    }

    @Test("a position within a batch is refused")
    func badPosition() throws {
        var sampler = try sampler()
        #expect(sentence { try sampler.advance(to: 4) }.contains("whole batches of 3"))
    }

    @Test("a batch larger than the data is refused with both numbers")
    func tooLarge() {
        let message = sentence { _ = try sampler(batch: 11) }
        #expect(message.contains("data.train_batch_size is 11"))
        #expect(message.contains("only 10 rows"))
    }

    @Test("the order is a fixed function of seed and epoch")
    func stableOrder() {
        #expect(RowOrder.shuffled(count: 8, seed: 1, epoch: 0) == [2, 4, 5, 6, 1, 0, 7, 3])
        #expect(
            RowOrder.shuffled(count: 8, seed: 1, epoch: 0)
                != RowOrder.shuffled(count: 8, seed: 2, epoch: 0))
        #expect(RowOrder.shuffled(count: 0, seed: 1, epoch: 0) == [])
        #expect(RowOrder.shuffled(count: 1, seed: 1, epoch: 0) == [0])
    }

    @Test("every order is about equally likely")
    func uniform() {
        var counts: [[Int]: Int] = [:]
        for epoch in 0..<6000 {
            counts[RowOrder.shuffled(count: 3, seed: 5, epoch: epoch), default: 0] += 1
        }
        // Six orders, 1000 each; one standard deviation is 29.
        #expect(counts.count == 6 && counts.values.allSatisfy { abs($0 - 1000) < 150 })
    }
}
