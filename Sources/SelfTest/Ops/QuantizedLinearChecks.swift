import Tensors

extension Bench {
    /// Products with quantised weights of each kind, their rows, and what they stand for.
    var quantizedLinearChecks: [Check] {
        types.flatMap { type in
            Quantization.allCases.flatMap { kind in
                sizes.matrices.prefix(3).flatMap { shape in
                    sizes.rows.map { T in quantized(type, kind, T, shape[0], shape[1]) }
                }
            }
        }
    }

    private func quantized(
        _ type: DataType, _ kind: Quantization, _ T: Int, _ N: Int, _ K: Int
    ) -> Check {
        check("quantised", "\(kind.rawValue): \(T) x [\(N), \(K)]", type) { side in
            let x = side.activation([T, K])
            let values = side.numbers([N, K], scale: 1 / Float(K).squareRoot())
            guard let codes = QuantizedTensor(quantizing: values, as: kind) else {
                throw SelfTestError("Numbers within 1 could not be quantised.")
            }
            let weight = Weight.quantized(codes.moved(to: side.device))
            let tokens = TokenIndices(side.indices(T, below: N))
            let tape = Tape()
            let y = linear(x, weight, tape)
            side.backward(y, tape)
            let dequantized = codes.moved(to: side.device).dequantized()
            return [
                // A weight is rounded to the activations' type before the product.
                SideResult("y", y, Tolerance(terms: K, roundings: 1, roundingsOfTerms: 1)),
                SideResult(
                    gradientOf: "x", x,
                    Tolerance(terms: N, roundings: 1, roundingsOfTerms: 1)),
                SideResult("dequantised", dequantized, .exact),
                SideResult("rows", embedding(tokens, weight, nil), .exact),
            ]
        }
    }
}
