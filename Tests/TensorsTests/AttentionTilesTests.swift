import CKernels
import Testing

@testable import Tensors

@Suite("Tiles of attention")
struct AttentionTilesTests {
    /// A prompt of 70 tokens that goes on in three ways, and a sequence that stands alone.
    private static let sequences = [
        ck_packed_sequence(start: 0, count: 100, prefix_start: 0, prefix_count: 0),
        ck_packed_sequence(start: 100, count: 5000, prefix_start: 0, prefix_count: 70),
        ck_packed_sequence(start: 5100, count: 5000, prefix_start: 0, prefix_count: 70),
        ck_packed_sequence(start: 10100, count: 9, prefix_start: 0, prefix_count: 0),
    ]

    /// The list's entries of `count` words.
    private static func entries(_ words: [Int32], of count: Int) -> [[Int32]] {
        stride(from: 0, to: words.count, by: count).map { Array(words[$0..<$0 + count]) }
    }

    @Test("every query row is in one tile, and the tiles that see most come first")
    func queryRows() {
        let words = AttentionTiles.queryRows(of: Self.sequences, rows: 64, heads: 7)
        let tiles = Self.entries(words, of: 2)
        for (index, sequence) in Self.sequences.enumerated() {
            let firsts = tiles.filter { $0[0] == Int32(index) }.map { Int($0[1]) }
            #expect(firsts.sorted() == Array(stride(from: 0, to: Int(sequence.count) * 7, by: 64)))
        }
        // The last rows of the two long sequences, the earlier one before the later.
        #expect(Array(tiles.prefix(2)) == [[1, 34944], [2, 34944]])
        #expect(tiles.last == [3, 0])
    }

    @Test("of a cache only sequences with several new rows have tiles")
    func pagedRows() {
        let words = AttentionTiles.queryRows(
            starts: [0, 1, 1, 4, 7], lengths: [90, 5, 8, 20], rows: 4, heads: 2)
        #expect(words == [3, 4, 3, 0, 2, 4, 2, 0])
    }

    @Test("keys are gone over by all that see them, and many rows are split")
    func keys() {
        let lists = AttentionTiles.keys(of: Self.sequences, keys: 64, heads: 2)
        let tiles = Self.entries(lists.tiles, of: 5)
        // 100 and 2 x 5000 tokens with two heads are more rows than one block goes over.
        let prompt = tiles.filter { $0[0] == 0 }.sorted { $0[4] < $1[4] }
        #expect(
            prompt == [[0, 0, 0, 2, 0], [0, 0, 2, 3, 1], [0, 64, 0, 2, 2], [0, 64, 2, 3, 3]])
        #expect(lists.joined == [0, 0, 0, 2, 0, 64, 2, 4])
        #expect(tiles.filter { $0[0] == 3 } == [[3, 0, 3, 4, -1]])
        #expect(tiles.filter { $0[0] == 1 }.allSatisfy { $0[2...] == [1, 2, -1] })
        #expect(tiles.count { $0[0] == 1 } == (5000 + 63) / 64)
    }

    @Test("a sequence adds no work to keys behind its prefix")
    func shorterPrefix() {
        var sequences = Self.sequences
        sequences[1].prefix_count = 64
        sequences[2].prefix_count = 64
        let lists = AttentionTiles.keys(of: sequences, keys: 64, heads: 2)
        let later = Self.entries(lists.tiles, of: 5).filter { $0[0] == 0 && $0[1] == 64 }
        #expect(later == [[0, 64, 0, 3, -1]])
    }
}
