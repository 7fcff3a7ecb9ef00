extension MicroBatchSettings {
    /// The indices of each piece's samples.
    ///
    /// A prompt that samples of a piece share counts once against a budget of tokens, and such
    /// samples stay together where they fit.
    package func pieces(_ samples: [PolicySample]) -> [[Int]] {
        switch self {
        case .samples(let size):
            return stride(from: 0, to: samples.count, by: size).map {
                Array($0..<min($0 + size, samples.count))
            }
        case .tokens(let budget):
            let families = samples.siblings.flatMap { siblings in
                Self.spread(
                    siblings.map { ($0, samples[$0].response.count - 1) },
                    shared: samples[siblings[0]].prompt.count, budget: budget)
            }
            let sizes = families.map { family in
                family.reduce(samples[family[0]].prompt.count) {
                    $0 + samples[$1].response.count - 1
                }
            }
            return Self.spread(Array(zip(families.indices, sizes)), shared: 0, budget: budget)
                .map { $0.flatMap { families[$0] }.sorted() }
        }
    }

    /// Fills the fewest pieces first, then evens them out: no piece is nearly empty.
    ///
    /// - Parameters:
    ///   - shared: tokens that every piece has besides those of its items.
    private static func spread(
        _ items: [(index: Int, tokens: Int)], shared: Int, budget: Int
    ) -> [[Int]] {
        let longestFirst = items.sorted { ($0.tokens, $1.index) > ($1.tokens, $0.index) }
        let tokens = items.reduce(shared) { $0 + $1.tokens }
        var pieceCount = max(1, (tokens + budget - 1) / budget)
        while true {
            var pieces = [[Int]](repeating: [], count: pieceCount)
            var totals = [Int](repeating: 0, count: pieceCount)
            for item in longestFirst {
                let target = totals.indices.min { totals[$0] < totals[$1] } ?? 0
                totals[target] += item.tokens + (pieces[target].isEmpty ? shared : 0)
                pieces[target].append(item.index)
            }
            let fits = zip(pieces, totals).allSatisfy { $0.count <= 1 || $1 <= budget }
            if fits { return pieces.filter { !$0.isEmpty }.map { $0.sorted() } }
            pieceCount += 1
        }
    }
}
