import Tensors

extension Bench {
    /// Batches whose rows have adapters of different ranks, or none.
    var adapterBatchChecks: [Check] {
        types.flatMap { type in
            sizes.matrices.prefix(3).flatMap { shape in
                [([8], [1]), ([8, 3, 16], [5, 1, 11]), ([4, 4, 1, 32], [1, 1, 1, 1])].map {
                    ranks, counts in
                    adapterBatch(type, shape[0], shape[1], ranks: ranks, counts: counts)
                }
            }
        }
    }

    /// - Parameters:
    ///   - ranks: of each adapter.
    ///   - counts: rows of each; three without any follow the first adapter's, and two the last's.
    private func adapterBatch(
        _ type: DataType, _ N: Int, _ K: Int, ranks: [Int], counts: [Int]
    ) -> Check {
        let T = counts.reduce(5, +)
        let name = "ranks \(ranks) on \(counts) of \(T) rows, [\(N), \(K)]"
        return check("adapters", name, type) { side in
            let x = side.activation([T, K])
            let scale = 1 / Float(K).squareRoot()
            let weight = side.frozen([N, K], scale: scale)
            var runs: [LowRankRows] = []
            var next = 0
            for (rank, count) in zip(ranks, counts) {
                let lowRank = LowRank(
                    A: side.trained([rank, K], scale: scale).detached,
                    B: side.trained([N, rank], scale: 1 / Float(rank).squareRoot()).detached,
                    scale: 2 / Float(rank))
                runs.append(LowRankRows(lowRank, rows: next..<next + count))
                next += count + (next == 0 ? 3 : 0)
            }
            let y = linear(x.detached, .dense(weight), lowRanks: runs)
            return [
                SideResult("y", y, Tolerance(terms: K, roundings: 2, roundingsOfTerms: 1))
            ]
        }
    }
}
