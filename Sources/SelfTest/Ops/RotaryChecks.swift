import Tensors

extension Bench {
    /// Rotations by far and near positions, and back.
    var rotaryChecks: [Check] {
        types.flatMap { type in
            [(14, 64), (8, 128), (3, 6), (1, 18)].flatMap { H, D in
                sizes.rows.map { T in rotary(type, T, H, D) }
            }
        }
    }

    private func rotary(_ type: DataType, _ T: Int, _ H: Int, _ D: Int) -> Check {
        check("rotary", "[\(T), \(H), \(D)]", type) { side in
            let table = RotaryTable(
                frequencies: (0..<D / 2).map { 1 / Float(1 + $0 * $0 * $0) })
            let positions = TokenIndices(side.indices(T, below: 1500))
            let x = side.activation([T, H * D], offset: T % 2)
            let tape = Tape()
            let y = Tensors.rotary(
                x, positions: positions, table: table, headDimension: D, tape)
            side.backward(y, tape)
            return [
                SideResult("y", y, Tolerance(terms: 2, roundings: 1)),
                SideResult(gradientOf: "x", x, Tolerance(terms: 2, roundings: 1)),
            ]
        }
    }
}
