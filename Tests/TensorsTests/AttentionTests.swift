import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Packed sequences with random queries, keys, values and gradients.
struct AttentionCase: CustomStringConvertible, Sendable {
    let lengths: [Int]
    let heads: Int, keyValueHeads: Int, width: Int, window: Int
    let starts: [Int32]
    let q: [Float], k: [Float], v: [Float], dout: [Float]

    init(_ lengths: [Int], heads: Int, keyValueHeads: Int, width: Int, window: Int = 0) {
        self.lengths = lengths
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

    var tokens: Int { lengths.reduce(0, +) }
    var scale: Float { 1 / Float(width).squareRoot() }
    var description: String {
        "lengths \(lengths), heads \(heads)/\(keyValueHeads) of \(width), window \(window)"
    }

    struct Result {
        var out: [Float], lse: [Float], dq: [Float], dk: [Float], dv: [Float]
    }

    func forward() -> (out: [Float], lse: [Float]) {
        var out = [Float](repeating: .nan, count: q.count)
        var lse = [Float](repeating: .nan, count: tokens * heads)
        unsafe ck_attention_forward(
            lengths.count, starts, heads, keyValueHeads, width, q, k, v, scale, window, &out, &lse)
        return (out, lse)
    }

    func run() -> Result {
        let (out, lse) = forward()
        var dq = [Float](repeating: .nan, count: q.count)
        var dk = [Float](repeating: .nan, count: k.count), dv = dk
        unsafe ck_attention_backward(
            lengths.count, starts, heads, keyValueHeads, width, dout, q, k, v, out, lse, scale,
            window, &dq, &dk, &dv)
        return Result(out: out, lse: lse, dq: dq, dk: dk, dv: dv)
    }
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
            for t in Int(c.starts[s])..<Int(c.starts[s + 1]) {
                for h in 0..<c.heads { add(c, start: Int(c.starts[s]), token: t, head: h) }
            }
        }
    }

    private mutating func add(_ c: AttentionCase, start: Int, token: Int, head: Int) {
        let D = c.width, kvHead = head / (c.heads / c.keyValueHeads)
        let first = c.window > 0 ? max(start, token - c.window + 1) : start
        let row = (token * c.heads + head) * D
        let keys = (first...token).map { ($0 * c.keyValueHeads + kvHead) * D }
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

    @Test("Forward and backward match the definition for any threads", arguments: cases)
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
                1, [0, Int32(end - begin)], packed.heads, packed.keyValueHeads, packed.width,
                Array(packed.q[begin * queries..<end * queries]),
                Array(packed.k[begin * keys..<end * keys]),
                Array(packed.v[begin * keys..<end * keys]), packed.scale, packed.window, &alone, nil
            )
            #expect(
                bits(alone) == bits(Array(all[begin * queries..<end * queries])), "\(conditions)")
        }
    }

    @Test("Large scores do not overflow")
    func largeScores() {
        let q: [Float] = [0, 0, 0, 0, 3e4, 0, 0, 0], k: [Float] = [0, 0, 0, 0, 3e4, 0, 0, 0]
        let v: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
        var out = [Float](repeating: 0, count: 8)
        unsafe ck_attention_forward(1, [0, 2], 1, 1, 4, q, k, v, 1, 0, &out, nil)
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
            2, [0, 40, 80], 1, 1, width, q, k, v, 1, 0, &out, nil)
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
            let packed = AttentionCase([33, 5], heads: heads, keyValueHeads: heads, width: width)
            let expected = packed.run()
            var out = [Float](repeating: 0, count: packed.q.count)
            var (dq, dk, dv) = (out, out, out)
            unsafe withGuardedEnd(packed.k) { k in
                unsafe withGuardedEnd(packed.v) { v in
                    unsafe ck_attention_forward(
                        2, packed.starts, heads, heads, width, packed.q, k, v, packed.scale, 0,
                        &out, nil)
                    unsafe ck_attention_backward(
                        2, packed.starts, heads, heads, width, packed.dout, packed.q, k, v,
                        expected.out, expected.lse, packed.scale, 0, &dq, &dk, &dv)
                }
            }
            #expect(out == expected.out && dq == expected.dq)
            #expect(dk == expected.dk && dv == expected.dv)
        }
    }
}
