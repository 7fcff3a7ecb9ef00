import Tensors

extension Bench {
    /// Gated activations, also of numbers so large that exponentials overflow.
    var swiGLUChecks: [Check] {
        types.flatMap { type in
            sizes.counts.flatMap { count in
                [(Float(4), 0), (Float(200), 1)].map { scale, offset in
                    swiGLU(type, count, scale: scale, offset: offset)
                }
            }
        }
    }

    private func swiGLU(_ type: DataType, _ count: Int, scale: Float, offset: Int) -> Check {
        check("swiglu", "[\(count)] within \(scale), at \(offset)", type) { side in
            let gate = side.activation([1, count], scale: scale, offset: offset)
            let up = side.activation([1, count])
            let tape = Tape()
            let y = Tensors.swiGLU(gate: gate, up: up, tape)
            side.backward(y, tape)
            // exp(x) is off by as many roundings as x is large, where it counts at all: up to 88.
            let tolerance = Tolerance(terms: 64, roundings: 1)
            return [
                SideResult("y", y, tolerance),
                SideResult(gradientOf: "gate", gate, tolerance),
                SideResult(gradientOf: "up", up, tolerance),
            ]
        }
    }
}
