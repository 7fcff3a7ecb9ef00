import Tensors

extension Bench {
    /// Rows of a table and of an activation, and the way back into both.
    var embeddingChecks: [Check] {
        types.flatMap { type in
            [(7, 33), (1000, 896)].flatMap { V, D in
                sizes.rows.flatMap { T in [gathered(type, T, V, D), selected(type, T, D)] }
            }
        }
    }

    private func gathered(_ type: DataType, _ T: Int, _ V: Int, _ D: Int) -> Check {
        check("embedding", "\(T) of [\(V), \(D)]", type) { side in
            let table = side.trained([V, D])
            let frozen = side.frozen([V, D])
            let tokens = TokenIndices(side.indices(T, below: V))
            let tape = Tape()
            let y = embedding(tokens, .dense(table), tape)
            side.backward(y, tape)
            return [
                SideResult("rows", y, .exact),
                SideResult(
                    "rows of a frozen table", embedding(tokens, .dense(frozen), nil), .exact),
                SideResult(gradientOf: "table", table, Tolerance(terms: T)),
            ]
        }
    }

    private func selected(_ type: DataType, _ T: Int, _ D: Int) -> Check {
        check("embedding", "\(2 * T) rows of [\(T), \(D)]", type) { side in
            let x = side.activation([T, D])
            let rows = TokenIndices(side.indices(2 * T, below: T))
            let tape = Tape()
            let y = selectRows(x, rows, tape)
            side.backward(y, tape)
            return [
                SideResult("rows", y, .exact),
                // The places of a row are added up in f32 and rounded once.
                SideResult(gradientOf: "x", x, Tolerance(terms: 2 * T, roundings: 1)),
            ]
        }
    }
}
