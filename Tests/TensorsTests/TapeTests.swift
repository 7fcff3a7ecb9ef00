import Tensors
import Testing

/// A leaf with its own gradient buffer.
private func leaf(_ values: [Float], _ shape: [Int]) -> (tensor: Tensor, gradient: Tensor) {
    var tensor = Tensor(values, shape: shape)
    let gradient = Tensor(zeros: shape)
    tensor.node = GradientNode(accumulatingInto: gradient)
    return (tensor, gradient)
}

/// Small fixed numbers that look irregular.
private func numbers(_ count: Int, seed: Int) -> [Float] {
    let random = CounterRandom(seed: UInt64(seed))
    return (0..<count).map { random.uniform(stream: 1, position: UInt64($0)) - 0.5 }
}

@Suite("Tape")
struct TapeTests {
    /// Two linear layers with a gate between, and a residual around them.
    private func block(_ x: Tensor, _ weights: [Tensor], _ tape: Tape?) -> Tensor {
        let gate = linear(x, weights[0], tape)
        let up = linear(x, weights[1], tape)
        return add(x, linear(swiGLU(gate: gate, up: up, tape), weights[2], tape), tape)
    }

    private func gradients(recomputes: Bool, tracksInput: Bool = true) -> [[Float]] {
        let (T, D, F) = (5, 8, 12)
        var x = leaf(numbers(T * D, seed: 1), [T, D])
        if !tracksInput { x.tensor = x.tensor.detached }
        let weights = [
            leaf(numbers(F * D, seed: 2), [F, D]), leaf(numbers(F * D, seed: 3), [F, D]),
            leaf(numbers(D * F, seed: 4), [D, F]),
        ]
        let tape = Tape()
        let run = { (x: Tensor, tape: Tape?) in self.block(x, weights.map(\.tensor), tape) }
        var y = x.tensor
        for _ in 0..<2 { y = recomputes ? tape.recomputed(y, run) : run(y, tape) }
        y.node?.add(Tensor(numbers(T * D, seed: 5), shape: [T, D]))
        tape.backward()
        return ([x.gradient] + weights.map(\.gradient)).map { $0.toArray() }
    }

    @Test("gives the same bits with and without recomputation")
    func recomputation() {
        #expect(gradients(recomputes: true) == gradients(recomputes: false))
    }

    @Test("gives weights their gradients when the input has none")
    func untrackedInput() {
        let all = gradients(recomputes: true)
        let some = gradients(recomputes: true, tracksInput: false)
        #expect(some[0].allSatisfy { $0 == 0 })
        #expect(Array(all[1...]) == Array(some[1...]))
    }

    @Test("hands an op the gradient in the shape of its result, whatever shape later ops took")
    func reshapedResults() {
        let (T, H, D) = (3, 2, 4)
        let x = leaf(numbers(T * D, seed: 6), [T, D])
        let weight = leaf(numbers(H * D * D, seed: 7), [H * D, D])
        let scale = leaf(numbers(D, seed: 8), [D])
        let tape = Tape()
        let heads = linear(x.tensor, weight.tensor, tape).reshaped([T, H, D])
        let y = rmsNorm(heads, scale.tensor, epsilon: 1e-6, tape).reshaped([T, H * D])
        #expect(y.node !== nil)
        var seen: [Int] = []
        var probe = y
        tape.record(&probe) { dy in
            seen = dy.shape
            y.node?.add(dy)
        }
        probe.node?.add(Tensor(numbers(T * H * D, seed: 9), shape: [T * H, D]))
        tape.backward()
        #expect(seen == [T, H * D])
        // The same by heads that are rows from the start.
        let rows = leaf(heads.detached.toArray(), [T * H, D])
        let tape2 = Tape()
        let z = rmsNorm(rows.tensor, scale.tensor.detached, epsilon: 1e-6, tape2)
        z.node?.add(Tensor(numbers(T * H * D, seed: 9), shape: [T * H, D]))
        tape2.backward()
        let expected = (0..<D).map { d in
            (0..<T).reduce(Float(0)) { sum, t in
                (0..<H * D).reduce(sum) {
                    $0 + rows.gradient.toArray()[t * H * D + $1]
                        * weight.tensor.toArray()[$1 * D + d] * (t == 0 ? 1 : 0)
                }
            }
        }
        let found = Array(x.gradient.toArray()[..<D])
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test("agrees with finite differences")
    func finiteDifferences() {
        let (T, D, F) = (2, 8, 9)
        let values = (1...4).map { numbers($0 == 1 ? T * D : F * D, seed: 10 + $0) }
        let direction = numbers(T * D, seed: 20)
        func loss(_ values: [[Float]]) -> Double {
            let weights = [
                Tensor(values[1], shape: [F, D]), Tensor(values[2], shape: [F, D]),
                Tensor(values[3], shape: [D, F]),
            ]
            let y = block(Tensor(values[0], shape: [T, D]), weights, nil).toArray()
            return zip(y, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let x = leaf(values[0], [T, D])
        let weights = [
            leaf(values[1], [F, D]), leaf(values[2], [F, D]), leaf(values[3], [D, F]),
        ]
        let tape = Tape()
        let y = block(x.tensor, weights.map(\.tensor), tape)
        y.node?.add(Tensor(direction, shape: [T, D]))
        tape.backward()
        for (index, gradient) in ([x.gradient] + weights.map(\.gradient)).enumerated() {
            let found = gradient.toArray()
            for place in [0, 3, found.count / 2, found.count - 1] {
                var (more, less) = (values, values)
                more[index][place] += 1e-2
                less[index][place] -= 1e-2
                let expected = (loss(more) - loss(less)) / 2e-2
                #expect(abs(Double(found[place]) - expected) < 2e-3)
            }
        }
    }

    @Test("adds gradients that arrive by two ways without spoiling either")
    func sharedGradients() {
        // y = a + a: both ways hand the same memory to a's node.
        let a = leaf([1, 2, 3], [1, 3])
        let tape = Tape()
        let copy = add(a.tensor, Tensor(zeros: [1, 3]), tape)
        let y = add(add(copy, copy, tape), copy, tape)
        y.node?.add(Tensor([1, 10, 100], shape: [1, 3]))
        tape.backward()
        #expect(a.gradient.toArray() == [3, 30, 300])
    }

    @Test("keeps what backward needs, and frees it once backward is done")
    func memory() {
        let x = leaf([1, -2, 3, 0.5], [1, 4])
        let tape = Tape()
        var middle: Tensor? = add(x.tensor, Tensor(zeros: [1, 4]), tape)
        weak let kept = middle?.storage
        var y = middle.map { swiGLU(gate: $0, up: $0, tape) }
        let node = y?.node
        (middle, y) = (nil, nil)
        #expect(kept != nil)
        node?.add(Tensor([1, 1, 1, 1], shape: [1, 4]))
        tape.backward()
        #expect(kept == nil)
    }

    @Test("keeps no result that is cheap to compute again, and computes none that nobody reads")
    func cheapResults() {
        let (T, D) = (3, 4)
        let x = leaf(numbers(T * D, seed: 1), [T, D])
        let weight = leaf(numbers(D * D, seed: 2), [D, D])
        let norm = Tensor(numbers(D, seed: 3), shape: [D])
        let tape = Tape()
        weak var normed: Storage?
        func block(_ x: Tensor, _ tape: Tape?) -> Tensor {
            let y = rmsNorm(x, norm, epsilon: 1e-6, tape)
            normed = y.storage
            return linear(y, weight.tensor, tape)
        }
        let y = block(x.tensor, tape)
        #expect(normed == nil)
        y.node?.add(Tensor(numbers(T * D, seed: 4), shape: [T, D]))
        tape.backward()
        // The same with the product as a block's last result, which the replay leaves out.
        let first = weight.gradient.toArray()
        weight.gradient.fill(0)
        let again = Tape()
        let z = again.recomputed(x.tensor, block)
        #expect(z.toArray() == y.toArray())
        z.node?.add(Tensor(numbers(T * D, seed: 4), shape: [T, D]))
        again.backward()
        #expect(weight.gradient.toArray() == first)
    }

    @Test("a block in which nothing trains is not recorded")
    func frozenBlocks() {
        let tape = Tape()
        let x = Tensor(numbers(6, seed: 1), shape: [2, 3])
        let weight = Tensor(numbers(9, seed: 2), shape: [3, 3])
        let y = tape.recomputed(x) { x, tape in linear(x, weight, tape) }
        #expect(tape.stepCount == 0 && y.node == nil)
    }

    @Test("keeps no input of a frozen weight, nor the rows that were chosen from")
    func frozenWeights() {
        let x = leaf([1, -2, 3, 0.5], [2, 2])
        let tape = Tape()
        var middle: Tensor? = add(x.tensor, Tensor(zeros: [2, 2]), tape)
        weak let input = middle?.storage
        var product = middle.map { linear($0, Tensor([1, 2, 3, 4], shape: [2, 2]), tape) }
        middle = nil
        #expect(input == nil)
        weak let table = product?.storage
        let y = product.map { selectRows($0, TokenIndices([1, 1]), tape) }
        product = nil
        #expect(table == nil)
        y?.node?.add(Tensor([1, 0, 0, 1], shape: [2, 2]))
        tape.backward()
        #expect(x.gradient.toArray() == [0, 0, 4, 6])
    }

    @Test("a parameter's gradient takes memory from its first use until it is cleared")
    func parameterGradients() {
        let buffer = ParameterBuffer([("p", [1, 2]), ("q", [1, 2])])
        let parameter = buffer.parameter(1)
        func accumulate() {
            let tape = Tape()
            let y = add(parameter, Tensor(zeros: [1, 2]), tape)
            y.node?.add(Tensor([1, 10], shape: [1, 2]))
            tape.backward()
        }
        accumulate()
        accumulate()
        weak let first = buffer.gradients.storage
        #expect(first != nil)
        #expect(buffer.gradients.toArray() == [0, 0, 2, 20])
        buffer.clearGradients()
        #expect(first == nil)
        accumulate()
        #expect(buffer.gradients.toArray() == [0, 0, 1, 10])
        #expect(parameter.node?.gradient?.toArray() == [1, 10])
    }
}
