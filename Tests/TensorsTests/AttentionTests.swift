import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Packed sequences with random queries, keys, values and gradients.
struct AttentionCase: CustomStringConvertible, Sendable {
    /// Rows of each sequence's own.
    let lengths: [Int]
    /// Rows of an earlier sequence that each one goes on from.
    let prefixes: [Range<Int>]
    let heads: Int, keyValueHeads: Int, width: Int, window: Int
    let starts: [Int32]
    private(set) var q: [Float], k: [Float], v: [Float], dout: [Float]

    /// - Parameter prefixes: of each sequence; none for sequences that all stand alone.
    init(
        _ lengths: [Int], prefixes: [Range<Int>]? = nil, heads: Int, keyValueHeads: Int,
        width: Int, window: Int = 0
    ) {
        self.lengths = lengths
        self.prefixes = prefixes ?? lengths.map { _ in 0..<0 }
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.width = width
        self.window = window
        starts = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1)) }
        var random = RandomNumbers(seed: 61)
        let tokens = lengths.reduce(0, +)
        q = random.floats(tokens * heads * width)
        k = random.floats(tokens * keyValueHeads * width)
        v = random.floats(tokens * keyValueHeads * width)
        dout = random.floats(tokens * heads * width)
    }

    /// The rows of a sequence, those of its prefix first.
    func rows(of s: Int) -> [Int] { Array(prefixes[s]) + (Int(starts[s])..<Int(starts[s + 1])) }

    var sequences: [ck_packed_sequence] {
        lengths.indices.map {
            ck_packed_sequence(
                start: starts[$0], count: Int32(lengths[$0]),
                prefix_start: Int32(prefixes[$0].lowerBound),
                prefix_count: Int32(prefixes[$0].count))
        }
    }

    /// The same sequences, each with rows of its own for all its tokens. What a prefix's rows lead
    /// to counts in the sequence that they belong to alone.
    var plain: AttentionCase {
        var copy = AttentionCase(
            lengths.indices.map { rows(of: $0).count }, heads: heads,
            keyValueHeads: keyValueHeads, width: width, window: window)
        copy.q = gathered(q, heads * width)
        copy.k = gathered(k, keyValueHeads * width)
        copy.v = gathered(v, keyValueHeads * width)
        let columns = heads * width
        copy.dout = []
        for s in lengths.indices {
            copy.dout += [Float](repeating: 0, count: prefixes[s].count * columns)
            copy.dout += dout[Int(starts[s]) * columns..<Int(starts[s + 1]) * columns]
        }
        return copy
    }

    /// The rows of each sequence's tokens, one sequence after the other.
    func gathered(_ values: [Float], _ columns: Int) -> [Float] {
        lengths.indices.flatMap { rows(of: $0) }.flatMap {
            values[$0 * columns..<($0 + 1) * columns]
        }
    }

    /// What `gathered` spreads, brought back: the sum over the places that a row was taken to.
    func summed(_ values: [Float], _ columns: Int) -> [Double] {
        var sums = [Double](repeating: 0, count: tokens * columns)
        for (place, row) in lengths.indices.flatMap({ rows(of: $0) }).enumerated() {
            for i in 0..<columns { sums[row * columns + i] += Double(values[place * columns + i]) }
        }
        return sums
    }

    var tokens: Int { lengths.reduce(0, +) }
    var scale: Float { 1 / Float(width).squareRoot() }
    var description: String {
        "lengths \(lengths), prefixes \(prefixes), heads \(heads)/\(keyValueHeads) of \(width), window \(window)"
    }

    struct Result {
        var out: [Float], lse: [Float], dq: [Float], dk: [Float], dv: [Float]
    }

    func forward() -> (out: [Float], lse: [Float]) {
        var out = [Float](repeating: .nan, count: q.count)
        var lse = [Float](repeating: .nan, count: tokens * heads)
        unsafe ck_attention_forward(
            lengths.count, sequences, heads, keyValueHeads, width, q, k, v, scale, window, &out,
            &lse)
        return (out, lse)
    }

    /// What the backward pass needs beside its results.
    var workspace: [Float] {
        let count = unsafe ck_attention_backward_floats(
            lengths.count, sequences, keyValueHeads, width, window)
        return [Float](repeating: .nan, count: count)
    }

    func run() -> Result {
        let (out, lse) = forward()
        var dq = [Float](repeating: .nan, count: q.count)
        var dk = [Float](repeating: .nan, count: k.count), dv = dk
        var workspace = workspace
        unsafe ck_attention_backward(
            lengths.count, sequences, heads, keyValueHeads, width, dout, q, k, v, out, lse, scale,
            window, &workspace, workspace.count, &dq, &dk, &dv)
        return Result(out: out, lse: lse, dq: dq, dk: dk, dv: dv)
    }
}

/// Sequences of so many rows, end to end.
private func whole(_ lengths: [Int]) -> [ck_packed_sequence] {
    AttentionCase(lengths, heads: 1, keyValueHeads: 1, width: 1).sequences
}

/// The definition of attention and its derivatives, in double.
struct AttentionReference {
    var out: [Double], lse: [Double], dq: [Double], dk: [Double], dv: [Double]

    init(_ c: AttentionCase) {
        out = [Double](repeating: 0, count: c.q.count)
        lse = [Double](repeating: 0, count: c.tokens * c.heads)
        dq = out
        dk = [Double](repeating: 0, count: c.k.count)
        dv = dk
        for s in 0..<c.lengths.count {
            let rows = c.rows(of: s)
            for place in c.prefixes[s].count..<rows.count {
                let first = c.window > 0 ? max(0, place - c.window + 1) : 0
                for h in 0..<c.heads { add(c, token: rows[place], seen: rows[first...place], h) }
            }
        }
    }

    private mutating func add(_ c: AttentionCase, token: Int, seen: ArraySlice<Int>, _ head: Int) {
        let D = c.width, kvHead = head / (c.heads / c.keyValueHeads)
        let row = (token * c.heads + head) * D
        let keys = seen.map { ($0 * c.keyValueHeads + kvHead) * D }
        let scores = keys.map { key in
            Double(c.scale)
                * (0..<D).reduce(0.0) { $0 + Double(c.q[row + $1]) * Double(c.k[key + $1]) }
        }
        let largest = scores.reduce(-Double.infinity, max)
        let denominator = scores.reduce(0) { $0 + exp($1 - largest) }
        lse[token * c.heads + head] = largest + log(denominator)
        let p = scores.map { exp($0 - largest) / denominator }
        for (key, p) in zip(keys, p) {
            for d in 0..<D { out[row + d] += p * Double(c.v[key + d]) }
        }
        let delta = (0..<D).reduce(0.0) { $0 + out[row + $1] * Double(c.dout[row + $1]) }
        for (key, p) in zip(keys, p) {
            let slope = (0..<D).reduce(0.0) {
                $0 + Double(c.dout[row + $1]) * Double(c.v[key + $1])
            }
            let ds = p * (slope - delta) * Double(c.scale)
            for d in 0..<D {
                dv[key + d] += p * Double(c.dout[row + d])
                dq[row + d] += ds * Double(c.k[key + d])
                dk[key + d] += ds * Double(c.q[row + d])
            }
        }
    }
}

/// Calls `body` with a copy of `values` behind which memory must not be read: that ends the process.
private func withGuardedEnd(_ values: [Float], _ body: (UnsafePointer<Float>) -> Void) {
    let page = Int(getpagesize())
    let bytes = values.count * 4
    let size = (bytes + page - 1) / page * page
    var memory: UnsafeMutableRawPointer?
    guard unsafe posix_memalign(&memory, page, size + page) == 0, let memory = unsafe memory else {
        return
    }
    unsafe mprotect(memory + size, page, PROT_NONE)
    let copy = unsafe (memory + (size - bytes)).assumingMemoryBound(to: Float.self)
    unsafe copy.update(from: values, count: values.count)
    unsafe body(copy)
    unsafe mprotect(memory + size, page, PROT_READ | PROT_WRITE)
    unsafe free(memory)
}

struct AttentionTests {
    static let cases = [
        AttentionCase([1], heads: 1, keyValueHeads: 1, width: 4),
        AttentionCase([2, 1, 33], heads: 2, keyValueHeads: 1, width: 12),
        AttentionCase([50, 32, 64, 3], heads: 14, keyValueHeads: 2, width: 64),
        AttentionCase([31, 97], heads: 3, keyValueHeads: 3, width: 20),
        AttentionCase([40], heads: 4, keyValueHeads: 2, width: 256),
        AttentionCase([70, 5], heads: 6, keyValueHeads: 2, width: 7),
        AttentionCase([130, 20], heads: 4, keyValueHeads: 4, width: 32, window: 40),
        AttentionCase([100], heads: 5, keyValueHeads: 1, width: 16, window: 1),
        AttentionCase([90, 66], heads: 8, keyValueHeads: 2, width: 24, window: 32),
        // More than one chunk of queries in the backward, with and without a window.
        AttentionCase([600], heads: 2, keyValueHeads: 1, width: 16),
        AttentionCase([700, 10], heads: 1, keyValueHeads: 1, width: 8, window: 300),
    ]

    /// Sequences that go on from the first rows of another.
    static let sharedCases = [
        // From one token, by none, and from all of a sequence.
        AttentionCase(
            [1, 1, 0, 2], prefixes: [0..<0, 0..<1, 0..<1, 0..<1], heads: 1, keyValueHeads: 1,
            width: 4),
        // Blocks of keys on both sides of a prefix's end, a sequence alone, a second family.
        AttentionCase(
            [60, 21, 40, 33, 64, 32, 1],
            prefixes: [0..<0, 0..<45, 0..<45, 0..<0, 154..<154, 154..<186, 154..<186],
            heads: 14, keyValueHeads: 2, width: 64),
        AttentionCase(
            [70, 50, 9], prefixes: [0..<0, 0..<31, 0..<31], heads: 6, keyValueHeads: 2, width: 7),
        AttentionCase(
            [50, 66, 40], prefixes: [0..<0, 0..<50, 0..<50], heads: 4, keyValueHeads: 4,
            width: 32, window: 40),
        AttentionCase(
            [33, 90], prefixes: [0..<0, 0..<33], heads: 5, keyValueHeads: 1, width: 16, window: 1),
        // Several chunks of the backward in the prefix, in its sequence and behind it.
        AttentionCase(
            [330, 290, 20], prefixes: [0..<0, 0..<300, 0..<300], heads: 2, keyValueHeads: 1,
            width: 8),
        AttentionCase(
            [300, 280], prefixes: [0..<0, 0..<290], heads: 1, keyValueHeads: 1, width: 4,
            window: 200),
    ]

    @Test(
        "Forward and backward match the definition for any threads", arguments: cases + sharedCases)
    func definition(testCase: AttentionCase) {
        let expected = AttentionReference(testCase)
        var seen: [UInt32: [UInt32]] = [:]
        KernelConditions.forEach { conditions in
            let result = testCase.run()
            #expect(worstError(result.out, expected.out) < 1e-6, "\(conditions)")
            #expect(worstError(result.lse, expected.lse) < 1e-6, "\(conditions)")
            // A lone token's gradient by its score is 0; errors are seen against dv's size.
            let size = expected.dv.reduce(0) { max($0, abs($1)) }
            #expect(worstError(result.dq, expected.dq, size: size) < 2e-6, "\(conditions)")
            #expect(worstError(result.dk, expected.dk, size: size) < 2e-6, "\(conditions)")
            #expect(worstError(result.dv, expected.dv) < 2e-6, "\(conditions)")
            let all = bits(result.out + result.lse + result.dq + result.dk + result.dv)
            #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
            seen[conditions.isa.rawValue] = all
        }
    }

    @Test(
        "Sequences that share rows have the bits and the gradients of sequences with their own",
        arguments: sharedCases)
    func sharing(shared: AttentionCase) {
        let plain = shared.plain
        let queries = shared.heads * shared.width, keys = shared.keyValueHeads * shared.width
        KernelConditions.forEach { conditions in
            let found = shared.run(), expected = plain.run()
            #expect(
                bits(shared.gathered(found.out, queries)) == bits(expected.out), "\(conditions)")
            #expect(
                bits(shared.gathered(found.lse, shared.heads)) == bits(expected.lse),
                "\(conditions)")
            let dq = shared.summed(expected.dq, queries)
            let dk = shared.summed(expected.dk, keys), dv = shared.summed(expected.dv, keys)
            let size = dv.reduce(0) { max($0, abs($1)) }
            #expect(worstError(found.dq, dq, size: size) < 1e-6, "\(conditions)")
            #expect(worstError(found.dk, dk, size: size) < 1e-6, "\(conditions)")
            #expect(worstError(found.dv, dv) < 1e-6, "\(conditions)")
        }
    }

    @Test("A sequence has the same bits alone and packed with others")
    func packing() {
        let packed = AttentionCase(
            [37, 64, 129], heads: 6, keyValueHeads: 2, width: 16, window: 50)
        KernelConditions.forEach { conditions in
            let all = packed.forward().out
            let begin = Int(packed.starts[1]), end = Int(packed.starts[2])
            let queries = packed.heads * packed.width, keys = packed.keyValueHeads * packed.width
            var alone = [Float](repeating: .nan, count: (end - begin) * queries)
            unsafe ck_attention_forward(
                1, whole([end - begin]), packed.heads, packed.keyValueHeads, packed.width,
                Array(packed.q[begin * queries..<end * queries]),
                Array(packed.k[begin * keys..<end * keys]),
                Array(packed.v[begin * keys..<end * keys]), packed.scale, packed.window, &alone, nil
            )
            #expect(
                bits(alone) == bits(Array(all[begin * queries..<end * queries])), "\(conditions)")
        }
    }

    @Test("The rounds that a backward pass takes change no bit")
    func rounds() {
        // One thread's workspace holds seven of the ten heads, that of three all.
        let packed = AttentionCase(
            Array(repeating: 150, count: 60), heads: 10, keyValueHeads: 10, width: 4)
        var seen: [UInt32: Set<[UInt32]>] = [:], sizes: Set<Int> = []
        KernelConditions.forEach { conditions in
            guard conditions.isa == ck_isa_detected() else { return }
            sizes.insert(packed.workspace.count)
            let result = packed.run()
            seen[conditions.isa.rawValue, default: []].insert(bits(result.dk + result.dv))
        }
        #expect(sizes.count == 2)
        #expect(seen.values.allSatisfy { $0.count == 1 })
    }

    @Test("Large scores do not overflow")
    func largeScores() {
        let q: [Float] = [0, 0, 0, 0, 3e4, 0, 0, 0], k: [Float] = [0, 0, 0, 0, 3e4, 0, 0, 0]
        let v: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
        var out = [Float](repeating: 0, count: 8)
        unsafe ck_attention_forward(1, whole([2]), 1, 1, 4, q, k, v, 1, 0, &out, nil)
        #expect(out == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test("NaN in one sequence is seen there and nowhere else")
    func notANumber() {
        let tokens = 40, width = 8
        var random = RandomNumbers(seed: 62)
        let q = random.floats(2 * tokens * width), v = random.floats(2 * tokens * width)
        var k = random.floats(2 * tokens * width)
        k[width] = .nan
        var out = [Float](repeating: 0, count: 2 * tokens * width)
        unsafe ck_attention_forward(
            2, whole([tokens, tokens]), 1, 1, width, q, k, v, 1, 0, &out, nil)
        let notNumbers = out.map(\.isNaN)
        // The first token does not see the NaN, but shares a block of keys with it.
        #expect(out[..<width] == v[..<width])
        #expect(!notNumbers[width..<tokens * width].contains(false))
        #expect(!notNumbers[(tokens * width)...].contains(true))
    }

    @Test("Nothing behind the keys and values is read, whatever the width of a head")
    func ends() {
        // Two heads of 8 have the stride of one padded head.
        for (heads, width) in [(2, 8), (1, 8), (3, 6), (1, 20), (4, 4)] {
            let packed = AttentionCase(
                [33, 5, 2], prefixes: [0..<0, 0..<0, 33..<37], heads: heads, keyValueHeads: heads,
                width: width)
            let expected = packed.run()
            var out = [Float](repeating: 0, count: packed.q.count)
            var (dq, dk, dv, workspace) = (out, out, out, packed.workspace)
            unsafe withGuardedEnd(packed.k) { k in
                unsafe withGuardedEnd(packed.v) { v in
                    unsafe ck_attention_forward(
                        3, packed.sequences, heads, heads, width, packed.q, k, v, packed.scale, 0,
                        &out, nil)
                    unsafe ck_attention_backward(
                        3, packed.sequences, heads, heads, width, packed.dout, packed.q, k, v,
                        expected.out, expected.lse, packed.scale, 0, &workspace,
                        workspace.count, &dq, &dk, &dv)
                }
            }
            #expect(out == expected.out && dq == expected.dq)
            #expect(dk == expected.dk && dv == expected.dv)
        }
    }
}
