import Tensors

extension Bench {
    /// Sums, conversions, scaling and filling; views that begin at odd elements among them.
    var elementwiseChecks: [Check] {
        types.flatMap { type in
            sizes.counts.flatMap { count in
                [0, 3].flatMap { offset in elementwiseChecks(type, count, offset: offset) }
            }
        }
    }

    private func elementwiseChecks(_ type: DataType, _ count: Int, offset: Int) -> [Check] {
        let name = "[\(count)]\(offset == 0 ? "" : " at \(offset)")"
        return [
            check("elementwise", "add \(name)", type) { side in
                let h = side.residual([count], offset: offset)
                let y = side.activation([count], offset: 0)
                let tapes = (Tape(), Tape())
                let sum = add(h, y, tapes.0)
                side.backward(sum, tapes.0)
                let inner = add(y, y, tapes.1)
                side.backward(inner, tapes.1)
                return [
                    SideResult("h + y", sum, Tolerance()),
                    SideResult("y + y", inner, Tolerance(roundings: 1)),
                    SideResult(gradientOf: "h", h, Tolerance()),
                    SideResult(gradientOf: "y", y, Tolerance(roundings: 3)),
                ]
            },
            check("elementwise", "convert \(name)", type) { side in
                let x = side.residual([count], offset: offset)
                // Both sides draw what the narrower type holds: no bit may change on the way.
                let narrow = x.detached.converted(to: side.precision)
                return [
                    SideResult("narrowed", narrow, .exact),
                    SideResult("widened", narrow.converted(to: .float32), .exact),
                ]
            },
            check("elementwise", "scale, average, fill \(name)", type) { side in
                let x = side.residual([count], offset: offset)
                let y = side.activation([count])
                x.scale(by: 0.75)
                let squares = Float(x.sumOfSquares)
                let scaled = x.toArray()
                x.average(with: y, keeping: 0.25)
                let filled = side.residual([count], offset: offset)
                filled.fill(0.375)
                return [
                    SideResult("scaled", scaled, .exact),
                    SideResult("sum of squares", [squares], Tolerance(terms: 1)),
                    SideResult("averaged", x, Tolerance()),
                    SideResult("filled", filled, .exact),
                ]
            },
        ]
    }
}
