import Testing

@testable import Tensors

@Suite("Paged attention on an emulated GPU")
struct PagedAttentionCUDATests {
    /// New rows of each sequence, step by step.
    struct Steps: CustomStringConvertible, Sendable {
        let attention: DeviceAttentionCase
        let blockSize: Int
        let counts: [[Int]]

        init(_ attention: DeviceAttentionCase, blockSize: Int, _ counts: [[Int]]) {
            self.attention = attention
            self.blockSize = blockSize
            self.counts = counts
        }

        var description: String { "\(attention), blocks of \(blockSize), \(counts)" }
    }

    static let cases: [Steps] = [
        // Prefill, then a chunk beside decode, then decode with a sequence that has no row.
        .init(.init([], 4, 2, of: 16, .float32), blockSize: 16, [[17, 40], [3, 1], [0, 1]]),
        .init(.init([], 6, 2, of: 80, window: 9, .float32), blockSize: 5, [[1, 23], [1, 1]]),
        .init(.init([], 36, 2, of: 8, .bfloat16), blockSize: 16, [[2, 19], [1, 1]]),
        .init(.init([], 14, 2, of: 64, .bfloat16), blockSize: 16, [[70, 3], [1, 9], [1, 1]]),
        .init(.init([], 2, 1, of: 64, window: 70, .bfloat16), blockSize: 5, [[100, 60], [1, 1]]),
        .init(.init([], 4, 2, of: 128, .bfloat16), blockSize: 16, [[65, 20], [1, 1]]),
        // More than 256 tokens are split among blocks.
        .init(.init([], 2, 1, of: 64, .bfloat16), blockSize: 16, [[300, 20], [1, 1]]),
        .init(.init([], 2, 1, of: 8, .float32), blockSize: 7, [[257, 600], [1, 1]]),
    ]

    /// The outputs of each step. Blocks are handed out backwards, sequence by sequence in turn.
    private func outputs(_ steps: Steps, on device: Device) -> [Tensor] {
        let (testCase, size) = (steps.attention, steps.blockSize)
        let S = steps.counts[0].count
        let longest = (0..<S).map { s in steps.counts.map { $0[s] }.reduce(0, +) }.max() ?? 0
        let stride = (longest + size - 1) / size
        let tables = (0..<S * stride).map { Int32((stride - 1 - $0 % stride) * S + $0 / stride) }
        let cache = PagedCache(
            blocks: S * stride, blockSize: size, heads: testCase.heads,
            dataType: device.isHost ? .float32 : testCase.type, on: device)
        var lengths = [Int](repeating: 0, count: S)
        return steps.counts.enumerated().map { step, counts in
            var (starts, slots): ([Int32], [Int32]) = ([0], [])
            for s in 0..<S {
                for place in lengths[s]..<lengths[s] + counts[s] {
                    let block = Int(tables[s * stride + place / size])
                    slots.append(Int32(block * size + place % size))
                }
                lengths[s] += counts[s]
                starts.append(Int32(slots.count))
            }
            let plan = PagedPlan(
                starts: starts, lengths: lengths.map(Int32.init), tables: tables,
                tableStride: stride, slots: slots)
            let T = slots.count
            let q = testCase.numbers(T, testCase.queryColumns, seed: 3 * step, on: device)
            let k = testCase.numbers(T, testCase.keyColumns, seed: 3 * step + 1, on: device)
            let v = testCase.numbers(T, testCase.keyColumns, seed: 3 * step + 2, on: device)
            return pagedAttention(
                q, k, v, plan: plan, cache: cache, heads: testCase.heads,
                window: testCase.window)
        }
    }

    @Test("prefill, chunks and decode give the CPU's outputs", arguments: cases)
    func agrees(steps: Steps) throws {
        let expected = outputs(steps, on: .cpu)
        try withEmulatedDevice { device in
            for (step, out) in outputs(steps, on: device).enumerated() {
                #expect(isNear(out, expected[step], steps.attention.tolerance), "step \(step)")
            }
        }
    }

    @Test("a row that is decoded has the same bits beside others and for a larger grid")
    func independence() throws {
        try withEmulatedDevice { device in
            let outputs = decodedRows(on: device)
            #expect(outputs[0] == outputs[1])
            #expect(outputs[0] == outputs[2])
            #expect(outputs[0].contains { $0 != 0 })
        }
    }

    /// The output of one row that decodes beside another, alone, and alone in a larger grid.
    private func decodedRows(on device: Device) -> [[Float]] {
        guard case .cuda(let cuda) = device else { return [] }
        let testCase = DeviceAttentionCase([], 2, 1, of: 64, .bfloat16)
        let cache = PagedCache(
            blocks: 2, blockSize: 300, heads: testCase.heads, dataType: testCase.type, on: device)
        for (seed, tensor) in [cache.keys, cache.values].enumerated() {
            tensor.copy(from: testCase.numbers(2, tensor.count / 2, seed: seed, on: device))
        }
        let q = testCase.numbers(2, testCase.queryColumns, seed: 2, on: device)
        let both = PagedPlan(
            starts: [0, 1, 2], lengths: [290, 33], tables: [1, 0], tableStride: 1,
            slots: [589, 32])
        let alone = PagedPlan(
            starts: [0, 1], lengths: [290], tables: [1], tableStride: 1, slots: [589])
        return [(both, 2), (alone, 2), (alone, 32)].map { plan, splits in
            let out = Tensor(
                uninitialized: q.shape, dataType: testCase.type, on: device)
            cuda.pagedDecode(
                q, plan: plan, cache: cache, heads: testCase.heads, window: 0, splits: splits,
                out: out)
            let row = out.converted(to: .float32).toArray().prefix(testCase.queryColumns)
            return Array(row)
        }
    }
}
