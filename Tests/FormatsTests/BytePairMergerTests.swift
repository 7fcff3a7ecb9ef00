import Testing

@testable import Formats

@Suite struct BytePairMergerTests {
    /// The rule itself: the pair of lowest rank, the leftmost of equals, one at a time.
    private func merged(_ symbols: [Int32], _ table: PairTable) -> [Int32] {
        var symbols = symbols
        while true {
            let merges = zip(symbols, symbols.dropFirst()).map { table.merge($0, $1) }
            guard let best = merges.min(), best != PairTable.none,
                let place = merges.firstIndex(of: best)
            else { return symbols }
            symbols.replaceSubrange(place...(place + 1), with: [Int32(truncatingIfNeeded: best)])
        }
    }

    @Test func `words short and long merge by the rule`() {
        var generator = SplitMix64(state: 8)
        for round in 0..<60 {
            var table = PairTable(capacity: 4)
            var next: Int32 = 4
            for rank in 0..<40 {
                let left = Int32.random(in: 0..<next, using: &generator)
                let right = Int32.random(in: 0..<next, using: &generator)
                guard table.merge(left, right) == PairTable.none else { continue }
                table.insert(left, right, rank: rank, merged: next)
                next += 1
            }
            var merger = BytePairMerger()
            for length in [0, 1, 2, 5, 30, 48, 49, 200 + round] {
                let word = (0..<length).map { _ in Int32.random(in: 0..<4, using: &generator) }
                var symbols = word
                merger.merge(&symbols, with: table)
                #expect(symbols == merged(word, table))
            }
        }
    }
}
