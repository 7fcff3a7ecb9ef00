import Tensors

extension Bench {
    /// Prefill in pieces and decoding against a paged cache whose blocks lie in no order.
    var pagedAttentionChecks: [Check] {
        types.flatMap { type in
            sizes.attention.flatMap { heads, longest in
                [(1, 0), (3, 0), (16, 0), (32, 0), (16, 33)].map { blockSize, window in
                    pagedAttention(type, heads, longest, blockSize: blockSize, window: window)
                }
            }
        }
    }

    /// Three sequences: a long one, whose decoding is split among blocks of the device, one of 17
    /// tokens and one of a single one.
    private func pagedAttention(
        _ type: DataType, _ heads: HeadLayout, _ longest: Int, blockSize: Int, window: Int
    ) -> Check {
        let name = "\(heads.name), blocks of \(blockSize), window \(window)"
        return check("paged attention", name, type) { side in
            let lengths = [2 * longest + 1, 17, 1]
            let D = heads.dimension
            let scale = 2 * Float(3).squareRoot() / Float(2).squareRoot()
            let layout = PagedLayout(lengths: lengths, blockSize: blockSize)
            let cache = PagedCache(
                blocks: layout.blockCount, blockSize: blockSize, heads: heads,
                dataType: side.type, on: side.device)
            var results: [SideResult] = []
            // Most of the long prompt; its end beside another prompt; then single tokens.
            let steps: [[Range<Int>]] = [
                [0..<longest, 0..<0, 0..<0],
                [longest..<lengths[0] - 1, 0..<16, 0..<0],
                [lengths[0] - 1..<lengths[0], 16..<17, 0..<1],
            ]
            for (number, ranges) in steps.enumerated() {
                let plan = layout.plan(ranges)
                let T = ranges.reduce(0) { $0 + $1.count }
                let q = side.activation([T, heads.queryHeads * D], scale: scale).detached
                let k = side.activation([T, heads.keyValueHeads * D], scale: scale).detached
                let v = side.activation([T, heads.keyValueHeads * D]).detached
                let y = Tensors.pagedAttention(
                    q, k, v, plan: plan, cache: cache, heads: heads, window: window)
                results.append(
                    SideResult(
                        "step \(number + 1)", y,
                        Tolerance(
                            terms: lengths[0] + 16 * D, roundings: 1, roundingsOfTerms: 1)))
            }
            return results
        }
    }
}

/// Where sequences lie in a paged cache: each in blocks that are spread over all of it.
private struct PagedLayout {
    let blockSize: Int
    private let tables: [[Int32]]
    let blockCount: Int

    init(lengths: [Int], blockSize: Int) {
        self.blockSize = blockSize
        let counts = lengths.map { ($0 + blockSize - 1) / blockSize }
        let total = counts.reduce(0, +)
        // A step that has no divisor in common with their number visits all blocks once.
        let step = [7919, 7907, 7901].first { total % $0 != 0 } ?? 1
        var next = 0
        tables = counts.map { count in
            (0..<count).map { _ in
                defer { next += 1 }
                return Int32((next * step + 1) % total)
            }
        }
        blockCount = total
    }

    /// The plan of one step with these new tokens of each sequence.
    func plan(_ ranges: [Range<Int>]) -> PagedPlan {
        let stride = tables.map(\.count).max() ?? 1
        var (starts, lengths): ([Int32], [Int32]) = ([0], [])
        var (slots, rows): ([Int32], [Int32]) = ([], [])
        for (table, range) in zip(tables, ranges) where !range.isEmpty {
            for place in range {
                slots.append(
                    table[place / blockSize] * Int32(blockSize) + Int32(place % blockSize))
            }
            starts.append(Int32(slots.count))
            lengths.append(Int32(range.upperBound))
            rows += table + repeatElement(0, count: stride - table.count)
        }
        return PagedPlan(
            starts: starts, lengths: lengths, tables: rows, tableStride: stride, slots: slots)
    }
}
