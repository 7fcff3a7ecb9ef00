extension MicroBatchSettings {
    /// The indices of each piece's samples.
    ///
    /// A prompt that samples of a piece share counts once against a budget of tokens, and such
    /// samples stay together where they fit.
    ///
    /// - Parameter fitting: tokens that a piece should not exceed where a cut between prompts can
    ///   spare it that.
    package func pieces(_ samples: [PolicySample], fitting most: Int = .max) -> [[Int]] {
        switch self {
        case .samples(let size):
            return stride(from: 0, to: samples.count, by: size).flatMap { start in
                let piece = Array(start..<min(start + size, samples.count))
                let families = piece.map { samples[$0] }.siblings.map { $0.map { piece[$0] } }
                return Self.packed(families, of: samples, budget: most)
            }
        case .tokens(let budget):
            let families = samples.siblings.flatMap { siblings in
                Self.spread(
                    siblings.map { ($0, samples[$0].response.count - 1) },
                    shared: samples[siblings[0]].prompt.count, budget: budget)
            }
            return Self.packed(families, of: samples, budget: min(budget, most))
        }
    }

    /// Puts whole families of one prompt each together.
    private static func packed(
        _ families: [[Int]], of samples: [PolicySample], budget: Int
    ) -> [[Int]] {
        let sizes = families.map { family in
            family.reduce(samples[family[0]].prompt.count) {
                $0 + samples[$1].response.count - 1
            }
        }
        return spread(Array(zip(families.indices, sizes)), shared: 0, budget: budget)
            .map { $0.flatMap { families[$0] }.sorted() }
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
        var pieceCount = max(1, min(items.count, tokens / budget + (tokens % budget > 0 ? 1 : 0)))
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
