import CKernels
import Testing

/// A paged cache that is filled from the sequences of an `AttentionCase` chunk by chunk.
struct PagedRun {
    let source: AttentionCase
    let blockSize: Int
    private let stride: Int
    private var tables: [Int32]
    private var keyCache: [Float], valueCache: [Float]
    private var lengths: [Int]
    private(set) var out: [Float]

    init(_ source: AttentionCase, blockSize: Int) {
        self.source = source
        self.blockSize = blockSize
        stride = (source.lengths.reduce(0, max) + blockSize - 1) / blockSize + 1
        // Blocks are handed out in a shuffled order, as after a long run.
        var random = RandomNumbers(seed: 71)
        var blocks = (0..<Int32(stride * source.lengths.count)).map { $0 }
        for i in blocks.indices { blocks.swapAt(i, random.integer(below: blocks.count)) }
        tables = blocks
        let size = blocks.count * source.keyValueHeads * blockSize * source.width
        // What was never written must not be read: NaN would show.
        keyCache = [Float](repeating: .nan, count: size)
        valueCache = keyCache
        lengths = [Int](repeating: 0, count: source.lengths.count)
        out = [Float](repeating: .nan, count: source.q.count)
    }

    /// Feeds the next `counts[s]` tokens of each sequence in one call.
    mutating func feed(_ counts: [Int]) {
        var rows: [Int] = [], slots: [Int32] = [], starts: [Int32] = [0]
        for s in counts.indices {
            for position in lengths[s]..<lengths[s] + counts[s] {
                rows.append(Int(source.starts[s]) + position)
                let block = tables[s * stride + position / blockSize]
                slots.append(block * Int32(blockSize) + Int32(position % blockSize))
            }
            lengths[s] += counts[s]
            starts.append(Int32(rows.count))
        }
        let queryWidth = source.heads * source.width
        let keyWidth = source.keyValueHeads * source.width
        let q = rows.flatMap { source.q[$0 * queryWidth..<($0 + 1) * queryWidth] }
        let k = rows.flatMap { source.k[$0 * keyWidth..<($0 + 1) * keyWidth] }
        let v = rows.flatMap { source.v[$0 * keyWidth..<($0 + 1) * keyWidth] }
        unsafe ck_paged_cache_write(
            rows.count, source.keyValueHeads, source.width, blockSize, slots, k, v, &keyCache,
            &valueCache)
        var result = [Float](repeating: .nan, count: q.count)
        unsafe ck_paged_attention(
            counts.count, starts, lengths.map(Int32.init), tables, stride, source.heads,
            source.keyValueHeads, source.width, blockSize, q, keyCache, valueCache, source.scale,
            source.window, &result)
        for (i, row) in rows.enumerated() {
            out.replaceSubrange(
                row * queryWidth..<(row + 1) * queryWidth,
                with: result[i * queryWidth..<(i + 1) * queryWidth])
        }
    }

    /// Feeds everything; `chunk` says how many tokens of sequence s, of which `fed` are in.
    mutating func feedAll(_ chunk: (_ s: Int, _ fed: Int) -> Int) {
        while lengths != source.lengths {
            feed(
                source.lengths.indices.map {
                    min(source.lengths[$0] - lengths[$0], chunk($0, lengths[$0]))
                })
        }
    }
}

struct PagedAttentionTests {
    static let cases = [
        AttentionCase([1], heads: 1, keyValueHeads: 1, width: 4),
        AttentionCase([70, 33, 5, 64], heads: 14, keyValueHeads: 2, width: 64),
        AttentionCase([100, 31], heads: 3, keyValueHeads: 3, width: 20),
        AttentionCase([65, 90], heads: 4, keyValueHeads: 1, width: 128, window: 33),
        AttentionCase([120], heads: 6, keyValueHeads: 2, width: 7, window: 64),
    ]

    @Test("Prefill, decode and chunks give the bits of one packed pass", arguments: cases)
    func sameBits(testCase: AttentionCase) {
        KernelConditions.forEach { conditions in
            let expected = bits(testCase.forward().out)
            for blockSize in [16, 32, 64, 8, 5] {
                var prefill = PagedRun(testCase, blockSize: blockSize)
                prefill.feedAll { s, _ in testCase.lengths[s] }
                #expect(bits(prefill.out) == expected, "\(conditions), prefill, \(blockSize)")
                var decode = PagedRun(testCase, blockSize: blockSize)
                decode.feedAll { _, _ in 1 }
                #expect(bits(decode.out) == expected, "\(conditions), decode, \(blockSize)")
                // Some sequences prefill by chunks while others decode or wait.
                var random = RandomNumbers(seed: 72)
                var chunked = PagedRun(testCase, blockSize: blockSize)
                chunked.feedAll { _, _ in [0, 1, 1, 7, 29, 40][random.integer(below: 6)] }
                #expect(bits(chunked.out) == expected, "\(conditions), chunks, \(blockSize)")
            }
        }
    }
}
