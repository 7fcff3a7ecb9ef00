import Tensors

extension Bench {
    /// Products with a frozen weight, bias and low-rank part, and with trained weights.
    var linearChecks: [Check] {
        types.flatMap { type in
            sizes.matrices.flatMap { shape in
                sizes.rows.flatMap { T in
                    [
                        frozenLinear(type, T, shape[0], shape[1], rank: shape[1] > 64 ? 32 : 3),
                        trainedLinear(type, T, shape[0], shape[1]),
                    ]
                }
            }
        }
    }

    private func frozenLinear(
        _ type: DataType, _ T: Int, _ N: Int, _ K: Int, rank: Int
    ) -> Check {
        check("linear", "frozen, bias, rank \(rank): \(T) x [\(N), \(K)]", type) { side in
            let x = side.activation([T, K])
            let scale = 1 / Float(K).squareRoot()
            let weight = side.frozen([N, K], scale: scale)
            let bias = side.frozen([N])
            let A = side.trained([rank, K], scale: scale)
            let B = side.trained([N, rank], scale: 1 / Float(rank).squareRoot())
            let tape = Tape()
            let y = linear(
                x, weight, bias: bias, lowRank: LowRank(A: A, B: B, scale: 2), tape)
            side.backward(y, tape)
            return [
                // The base's product is rounded, and once more with what is added; the inner
                // product in between.
                SideResult("y", y, Tolerance(terms: K, roundings: 2, roundingsOfTerms: 1)),
                SideResult(
                    gradientOf: "x", x,
                    Tolerance(terms: N, roundings: 2, roundingsOfTerms: 1)),
                SideResult(
                    gradientOf: "A", A, Tolerance(terms: max(T, N), roundingsOfTerms: 1)),
                SideResult(
                    gradientOf: "B", B, Tolerance(terms: max(T, K), roundingsOfTerms: 1)),
            ]
        }
    }

    /// Weights and bias of f32, which the device multiplies as such: full training, a value head.
    private func trainedLinear(_ type: DataType, _ T: Int, _ N: Int, _ K: Int) -> Check {
        check("linear", "trained: \(T) x [\(N), \(K)]", type) { side in
            let x = side.activation([T, K])
            let weight = side.trained([N, K], scale: 1 / Float(K).squareRoot())
            let bias = side.trained([N])
            let tape = Tape()
            let y = linear(x, weight, bias: bias, tape)
            side.backward(y, tape)
            return [
                SideResult("y", y, Tolerance(terms: K)),
                SideResult(gradientOf: "x", x, Tolerance(terms: N, roundings: 1)),
                SideResult(gradientOf: "weight", weight, Tolerance(terms: T)),
                SideResult(gradientOf: "bias", bias, Tolerance(terms: T)),
            ]
        }
    }
}
