import Tensors

extension Bench {
    /// Norms of the residual stream, and of each head of an activation.
    var normChecks: [Check] {
        types.flatMap { type in
            sizes.widths.flatMap { D in
                sizes.rows.map { T in residualNorm(type, T, D) }
            } + [normOfHeads(type, heads: 2, D: 64), normOfHeads(type, heads: 3, D: 7)]
        }
    }

    private func residualNorm(_ type: DataType, _ T: Int, _ D: Int) -> Check {
        check("norms", "residual [\(T), \(D)]", type) { side in
            let x = side.residual([T, D], scale: 2, offset: D % 2)
            var weight = side.frozen([D], scale: 0.5, around: 1)
            weight.node = GradientNode(on: side.device)
            let tape = Tape()
            let y = rmsNorm(x, weight, epsilon: 1e-6, tape)
            side.backward(y, tape)
            return [
                SideResult("y", y, Tolerance(terms: D, roundings: 1)),
                SideResult(gradientOf: "x", x, Tolerance(terms: D)),
                SideResult(gradientOf: "weight", weight, Tolerance(terms: max(T, D))),
            ]
        }
    }

    private func normOfHeads(_ type: DataType, heads: Int, D: Int) -> Check {
        let T = sizes.rows.last ?? 1
        return check("norms", "heads [\(T), \(heads), \(D)]", type) { side in
            let x = side.activation([T, heads, D], scale: 2)
            let weight = side.frozen([D], scale: 0.5, around: 1)
            let tape = Tape()
            let y = rmsNorm(x, weight, epsilon: 1e-5, tape)
            side.backward(y, tape)
            return [
                SideResult("y", y, Tolerance(terms: D, roundings: 1)),
                SideResult(gradientOf: "x", x, Tolerance(terms: D, roundings: 1)),
            ]
        }
    }
}
