extension MicroBatchSettings {
    /// The indices of each piece's samples.
    ///
    /// - Parameters:
    ///   - tokenCounts: tokens that each sample computes.
    package func pieces(tokenCounts: [Int]) -> [[Int]] {
        switch self {
        case .samples(let size):
            return stride(from: 0, to: tokenCounts.count, by: size).map {
                Array($0..<min($0 + size, tokenCounts.count))
            }
        case .tokens(let budget):
            return Self.pieces(tokenCounts: tokenCounts, budget: budget)
        }
    }

    /// Fills the fewest pieces first, then evens them out: no piece is nearly empty.
    private static func pieces(tokenCounts: [Int], budget: Int) -> [[Int]] {
        let longestFirst = tokenCounts.indices.sorted {
            (tokenCounts[$0], $1) > (tokenCounts[$1], $0)
        }
        var pieceCount = max(1, (tokenCounts.reduce(0, +) + budget - 1) / budget)
        while true {
            var pieces = [[Int]](repeating: [], count: pieceCount)
            var totals = [Int](repeating: 0, count: pieceCount)
            for index in longestFirst {
                let target = totals.indices.min { totals[$0] < totals[$1] } ?? 0
                pieces[target].append(index)
                totals[target] += tokenCounts[index]
            }
            let fits = zip(pieces, totals).allSatisfy { $0.count <= 1 || $1 <= budget }
            if fits { return pieces.filter { !$0.isEmpty }.map { $0.sorted() } }
            pieceCount += 1
        }
    }
}
