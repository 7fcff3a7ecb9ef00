import Tensors

/// Orders of rows by chance: a function of seed and epoch alone, the same on every platform.
enum RowOrder {
    /// The numbers 0..<count in the order of an epoch.
    ///
    /// Fisher and Yates' shuffle; each draw is a 64-bit number scaled to its range, whose
    /// unevenness (count / 2^64) is beyond measuring.
    static func shuffled(count: Int, seed: Int, epoch: Int) -> [Int] {
        let random = CounterRandom(seed: UInt64(bitPattern: Int64(seed)))
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            let words = random.words(stream: UInt64(epoch), position: UInt64(last))
            let draw = UInt64(words.x) << 32 | UInt64(words.y)
            order.swapAt(last, Int(draw.multipliedFullWidth(by: UInt64(last) + 1).high))
        }
        return order
    }

    /// At most `limit` rows in their order: the first ones, or with a seed some chosen by chance.
    static func choose<Row>(_ rows: [Row], limit: Int?, seed: Int?) -> [Row] {
        guard let limit, limit < rows.count else { return rows }
        guard let seed else { return Array(rows.prefix(limit)) }
        // No epoch has this number, so the choice says nothing about the order of any.
        let chosen = shuffled(count: rows.count, seed: seed, epoch: .max).prefix(limit)
        return chosen.sorted().map { rows[$0] }
    }
}
