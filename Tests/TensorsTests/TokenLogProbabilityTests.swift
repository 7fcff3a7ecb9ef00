import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One fused head's inputs, and its definition in double.
private struct Head {
    let T: Int, V: Int, D: Int
    let hidden: [Float]
    let weight: StoredWeight
    var targets: [Int32]
    let temperature: Float

    init(T: Int, V: Int, D: Int, scale: Float, dtype: ck_dtype, temperature: Float) {
        var random = RandomNumbers(seed: 7)
        (self.T, self.V, self.D, self.temperature) = (T, V, D, temperature)
        hidden = random.floats(T * D)
        weight = StoredWeight(random.floats(V * D, scale: scale), as: dtype)
        targets = (0..<T).map { _ in Int32(random.integer(below: V)) }
    }

    func logits(of token: Int, hidden: [Double]) -> [Double] {
        (0..<V).map { v in
            var sum = 0.0
            for d in 0..<D { sum += hidden[token * D + d] * Double(weight.values[v * D + d]) }
            return sum / Double(temperature)
        }
    }

    /// The definitions of `token`'s results.
    func reference(
        _ token: Int, hidden: [Double]
    ) -> (
        logProbability: Double, entropy: Double, squares: Double, lse: Double, logits: [Double]
    ) {
        let l = logits(of: token, hidden: hidden), most = l.max() ?? 0
        let lse = most + log(l.reduce(0) { $0 + exp($1 - most) })
        let entropy = -l.reduce(0) { $0 + exp($1 - lse) * ($1 - lse) }
        let squares = l.reduce(0) { $0 + exp($1 - lse) * exp($1 - lse) }
        return (l[Int(targets[token])] - lse, entropy, squares, lse, l)
    }

    func forward(first: Int = 0, count: Int? = nil) -> [[Float]] {
        let count = count ?? T
        var logProbabilities = [Float](repeating: 0, count: count)
        var entropies = logProbabilities, squares = logProbabilities, lse = logProbabilities
        unsafe weight {
            unsafe ck_token_log_probability_forward(
                count, V, D, Array(hidden[first * D..<(first + count) * D]), $0,
                Array(targets[first..<first + count]), temperature, &logProbabilities,
                &entropies, &squares, &lse)
        }
        return [logProbabilities, entropies, squares, lse]
    }

    func backward(
        _ results: [[Float]], byLogProbability: [Float], byEntropy: [Float], dW: inout [Float]
    ) -> [Float] {
        var dhidden = [Float](repeating: .nan, count: T * D)
        unsafe weight {
            unsafe ck_token_log_probability_backward(
                T, V, D, hidden, $0, targets, temperature, results[1], results[3],
                byLogProbability, byEntropy, &dhidden, &dW)
        }
        return dhidden
    }
}

struct TokenLogProbabilityTests {
    @Test(
        "Log-probability, entropy and squared probabilities match their definitions in double",
        arguments: [(1, 512), (3, 5000), (40, 600), (13, 1), (7, 1111), (1030, 9)],
        [Float(0.3), 4])
    func definition(shape: (Int, Int), scale: Float) {
        for dtype in StoredWeight.dtypes {
            let head = Head(
                T: shape.0, V: shape.1, D: 51, scale: scale, dtype: dtype, temperature: 0.8)
            let hidden = head.hidden.map(Double.init)
            let references = (0..<head.T).map { head.reference($0, hidden: hidden) }
            let largest = references.flatMap(\.logits).reduce(1) { max($0, abs($1)) }
            KernelConditions.forEach { conditions in
                let results = head.forward()
                // An f32 dot product of size s is off by some 1e-7 s, so the bound grows with it.
                let size = max(largest, 1)
                let expected = references.map(\.logProbability)
                #expect(worstError(results[0], expected, size: size) < 1e-6, "\(conditions)")
                let entropy = worstError(results[1], references.map(\.entropy), size: size)
                #expect(entropy < 1e-6, "\(conditions)")
                // Of a flat distribution the squares are small, so the error is a relative one.
                let squares = zip(results[2], references).map { $0 / Float($1.squares) }
                let ones = squares.map { _ in 1.0 }
                #expect(worstError(squares, ones, size: size) < 2e-6, "\(conditions)")
                let lse = worstError(results[3], references.map(\.lse), size: size)
                #expect(lse < 1e-6, "\(conditions)")
            }
        }
    }

    @Test("A token's results do not depend on the tokens beside it")
    func tokensAreIndependent() {
        let head = Head(T: 30, V: 1500, D: 70, scale: 1, dtype: CK_BF16, temperature: 1)
        var seen: [UInt32: [UInt32]] = [:]
        KernelConditions.forEach { conditions in
            let together = head.forward()
            for token in [0, 17, 29] {
                let alone = head.forward(first: token, count: 1)
                #expect(
                    bits(alone.map { $0[0] }) == bits(together.map { $0[token] }),
                    "\(conditions)")
            }
            let all = bits(together.flatMap { $0 })
            #expect(seen[conditions.isa.rawValue, default: all] == all, "\(conditions)")
            seen[conditions.isa.rawValue] = all
        }
    }

    @Test(
        "The sampler gives the log-probability that the fused head gives, to the last bit",
        arguments: [(30, 5003), (2, 512), (19, 1)], [Float(1), 0.7])
    func sampler(shape: (Int, Int), temperature: Float) {
        var head = Head(
            T: shape.0, V: shape.1, D: 400, scale: 0.1, dtype: CK_BF16, temperature: temperature)
        var random = RandomNumbers(seed: 9)
        let settings = (0..<head.T).map { _ in
            ck_sampling(temperature: temperature, top_k: 0, top_p: 1, uniform: random.uniform())
        }
        KernelConditions.forEach { conditions in
            var logits = [Float](repeating: 0, count: head.T * head.V)
            unsafe head.weight {
                unsafe ck_linear_forward(
                    head.T, head.V, head.D, head.hidden, head.D, $0, nil, CK_F32, 1, 0, &logits,
                    head.V)
            }
            var tokens = [Int32](repeating: -1, count: head.T)
            var sampled = [Float](repeating: .nan, count: head.T)
            unsafe ck_sample(
                head.T, head.V, logits, head.V, settings, &tokens, &sampled)
            head.targets = tokens
            #expect(bits(head.forward()[0]) == bits(sampled), "\(conditions)")
        }
    }

    @Test(
        "Gradients match the analytic ones in double", arguments: [(1, 600), (9, 1111), (40, 30)])
    func gradients(shape: (Int, Int)) {
        let head = Head(
            T: shape.0, V: shape.1, D: 23, scale: 0.7, dtype: CK_F32, temperature: 1.3)
        var random = RandomNumbers(seed: 8)
        let byLogProbability = random.floats(head.T), byEntropy = random.floats(head.T)
        let old = random.floats(head.V * head.D)
        var dhidden = [Double](repeating: 0, count: head.T * head.D), dW = old.map(Double.init)
        let hidden = head.hidden.map(Double.init)
        for t in 0..<head.T {
            let (_, _, _, lse, l) = head.reference(t, hidden: hidden)
            let mean = l.reduce(0) { $0 + exp($1 - lse) * $1 }
            for v in 0..<head.V {
                let p = exp(l[v] - lse), hit = Int(head.targets[t]) == v ? 1.0 : 0
                let slope =
                    (Double(byLogProbability[t]) * (hit - p) - Double(byEntropy[t]) * p
                        * (l[v] - mean)) / Double(head.temperature)
                for d in 0..<head.D {
                    dhidden[t * head.D + d] += slope * Double(head.weight.values[v * head.D + d])
                    dW[v * head.D + d] += slope * hidden[t * head.D + d]
                }
            }
        }
        KernelConditions.forEach { conditions in
            let results = head.forward()
            var gradient = old
            let actual = head.backward(
                results, byLogProbability: byLogProbability, byEntropy: byEntropy, dW: &gradient)
            #expect(worstError(actual, dhidden, size: 1) < 2e-6, "\(conditions)")
            #expect(worstError(gradient, dW, size: 1) < 2e-6, "\(conditions)")
        }
    }

    @Test("The gradient by hidden matches finite differences")
    func finiteDifferences() {
        let head = Head(T: 2, V: 40, D: 5, scale: 0.7, dtype: CK_F32, temperature: 0.6)
        let byLogProbability: [Float] = [0.7, -1.1], byEntropy: [Float] = [-0.4, 0.9]
        func loss(_ hidden: [Double]) -> Double {
            (0..<head.T).reduce(0) { sum, t in
                let (logProbability, entropy, _, _, _) = head.reference(t, hidden: hidden)
                return sum + Double(byLogProbability[t]) * logProbability
                    + Double(byEntropy[t]) * entropy
            }
        }
        let step = 1e-5, hidden = head.hidden.map(Double.init)
        let expected = hidden.indices.map { i in
            var up = hidden, down = hidden
            up[i] += step
            down[i] -= step
            return (loss(up) - loss(down)) / (2 * step)
        }
        KernelConditions.forEach { conditions in
            var unused = [Float](repeating: 0, count: head.V * head.D)
            let actual = head.backward(
                head.forward(), byLogProbability: byLogProbability, byEntropy: byEntropy,
                dW: &unused)
            #expect(worstError(actual, expected) < 2e-6, "\(conditions)")
        }
    }

    @Test("A NaN in the hidden state gives NaN for its token only")
    func notNumbers() {
        let D = 20, V = 700
        var random = RandomNumbers(seed: 9)
        var hidden = random.floats(2 * D)
        hidden[D + 3] = .nan
        let W = random.floats(V * D)
        KernelConditions.forEach { conditions in
            var logProbabilities: [Float] = [0, 0], entropies = logProbabilities
            var squares = logProbabilities, lse = logProbabilities
            unsafe StoredWeight(W, as: CK_F32) {
                unsafe ck_token_log_probability_forward(
                    2, V, D, hidden, $0, [1, 2], 1, &logProbabilities, &entropies, &squares, &lse)
            }
            for values in [logProbabilities, entropies, squares, lse] {
                #expect(values[0].isFinite && values[1].isNaN, "\(conditions)")
            }
        }
    }
}
