import CKernels

/// The lists by which attention kernels deal out their work: one entry a block of the grid, those
/// with the most work first, so that none of them is started last. They depend on the sequences
/// alone, and so do the orders in which the kernels sum.
///
/// Query rows of a kv head are counted token by token, and head by head of its group within a
/// token: `count * heads` rows a sequence, of which a tile takes any run.
struct AttentionTiles {
    /// A block's entry and its work, in rows times keys or what else is in proportion to it.
    private var entries: [(words: [Int32], work: Int)] = []

    /// All entries' words, one after the other.
    private var list: [Int32] {
        let order = entries.indices.sorted { (-entries[$0].work, $0) < (-entries[$1].work, $1) }
        return order.flatMap { entries[$0].words }
    }

    /// Adds the tiles of a sequence with `count` rows of its own behind `before` tokens.
    private mutating func appendRows(sequence: Int, count: Int, before: Int, rows: Int, heads: Int)
    {
        for first in stride(from: 0, to: count * heads, by: rows) {
            let end = min(first + rows, count * heads)
            let seen = before + (end + heads - 1) / heads
            entries.append(([Int32(sequence), Int32(first)], seen))
        }
    }

    /// Tiles of query rows, `[n, 2]`: the sequence and the tile's first row.
    ///
    /// - Parameters:
    ///   - rows: of a tile.
    ///   - heads: query heads a kv head.
    static func queryRows(
        of sequences: [ck_packed_sequence], rows: Int, heads: Int
    ) -> [Int32] {
        var tiles = AttentionTiles()
        for (index, sequence) in sequences.enumerated() {
            tiles.appendRows(
                sequence: index, count: Int(sequence.count), before: Int(sequence.prefix_count),
                rows: rows, heads: heads)
        }
        return tiles.list
    }

    /// The same for the new rows of sequences in a paged cache that have more than one.
    static func queryRows(
        starts: [Int32], lengths: [Int32], rows: Int, heads: Int
    ) -> [Int32] {
        var tiles = AttentionTiles()
        for (index, length) in lengths.enumerated() {
            let count = Int(starts[index + 1] - starts[index])
            guard count > 1 else { continue }
            tiles.appendRows(
                sequence: index, count: count, before: Int(length) - count, rows: rows,
                heads: heads)
        }
        return tiles.list
    }

    /// Query rows that one block of the pass for keys and values goes over, unless one sequence has
    /// more: a prefix with more is split among blocks.
    private static let rowsOfPart = 16384

    /// Tiles of keys.
    ///
    /// - Parameters:
    ///   - keys: of a tile.
    ///   - heads: query heads a kv head.
    /// - Returns: `tiles` `[n, 5]`: the sequence that the keys belong to, the first of them, the
    ///   first and the end of the sequences whose rows the block goes over, and its slot among the
    ///   parts, -1 where it is the only one. `joined` `[m, 4]`: for each tile with parts the
    ///   sequence, its first key, and the first and the end of its slots.
    static func keys(
        of sequences: [ck_packed_sequence], keys: Int, heads: Int
    ) -> (tiles: [Int32], joined: [Int32]) {
        var tiles = AttentionTiles()
        var joined: [Int32] = []
        var slot: Int32 = 0
        for (index, sequence) in sequences.enumerated() {
            for first in stride(from: 0, to: Int(sequence.count), by: keys) {
                let parts = parts(of: sequences, owner: index, first: first, heads: heads)
                let place = [Int32(index), Int32(first)]
                if parts.count > 1 { joined += place + [slot, slot + Int32(parts.count)] }
                for part in parts {
                    let viewers = [Int32(part.viewers.lowerBound), Int32(part.viewers.upperBound)]
                    tiles.entries.append(
                        (place + viewers + [parts.count > 1 ? slot : -1], part.rows))
                    if parts.count > 1 { slot += 1 }
                }
            }
        }
        return (tiles.list, joined)
    }

    /// The sequences that see the keys from `first` on of `owner`'s own, in runs, with their rows.
    private static func parts(
        of sequences: [ck_packed_sequence], owner: Int, first: Int, heads: Int
    ) -> [(viewers: Range<Int>, rows: Int)] {
        let own = (Int(sequences[owner].count) - first) * heads
        var parts = [(viewers: owner..<owner + 1, rows: own)]
        guard sequences[owner].prefix_count == 0 else { return parts }
        for viewer in (owner + 1)..<max(owner + 1, sequences.count) {
            let sequence = sequences[viewer]
            guard sequence.prefix_count > 0 else { break }
            let sees = Int(sequence.prefix_count) > first
            let rows = sees ? Int(sequence.count) * heads : 0
            let last = parts.count - 1
            if parts[last].rows + rows > rowsOfPart {
                parts.append((viewer..<viewer + 1, rows))
            } else {
                parts[last].viewers = parts[last].viewers.lowerBound..<viewer + 1
                parts[last].rows += rows
            }
        }
        return parts
    }
}
