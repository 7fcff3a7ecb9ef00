import Tensors

/// Sequences of one pack: what each family shares, and how it goes on.
struct Packing {
    let name: String
    let families: [(prefix: Int, continuations: [Int])]
    var window = 0

    var sequences: PackedSequences {
        var packed = PackedSequences()
        for family in families {
            packed.append(prefix: family.prefix, continuations: family.continuations)
        }
        return packed
    }

    /// Packs with sequences of up to `longest` tokens.
    static func all(longest: Int) -> [Packing] {
        let (third, odd) = (longest / 3, longest - 1)
        let shared = [(third, [17, 1, third, 64]), (1, [2, 0, 1]), (odd / 2, [])]
        return [
            Packing(name: "1 token", families: [(1, [])]),
            Packing(name: "17 tokens", families: [(17, [])]),
            Packing(
                name: "sequences of \(longest), 1 and 65",
                families: [(longest, []), (1, []), (65, [])]),
            Packing(name: "shared prefixes", families: shared),
            Packing(name: "window 1", families: [(odd, [])], window: 1),
            Packing(name: "window 33, shared prefixes", families: shared, window: 33),
            Packing(
                name: "window \(longest)", families: [(longest, []), (5, [])], window: longest),
        ]
    }
}

extension Bench {
    /// Attention over packed sequences, forward and backward.
    var attentionChecks: [Check] {
        types.flatMap { type in
            sizes.attention.flatMap { heads, longest in
                Packing.all(longest: longest).map { packedAttention(type, heads, $0) }
            }
        }
    }

    private func packedAttention(
        _ type: DataType, _ heads: HeadLayout, _ packing: Packing
    ) -> Check {
        check("attention", "\(heads.name), \(packing.name)", type) { side in
            let packed = packing.sequences
            let (T, D) = (packed.rowCount, heads.dimension)
            // Scores with a deviation of about 2, so that weights differ and none is all.
            let scale = 2 * Float(3).squareRoot() / Float(2).squareRoot()
            let q = side.activation([T, heads.queryHeads * D], scale: scale)
            let k = side.activation([T, heads.keyValueHeads * D], scale: scale)
            let v = side.activation([T, heads.keyValueHeads * D])
            let tape = Tape()
            let y = attention(
                q, k, v, packed: packed, heads: heads, window: packing.window, tape)
            side.backward(y, tape)
            // Weights are rounded before they multiply the values; on the way back so are they and
            // the scores' gradients, which a rounded result enters besides.
            let terms = T + 16 * D
            // A token that sees itself alone has no gradient of its score, only terms that cancel:
            // of the size of dy, v and k multiplied, whose deviations are sqrt(1/3), sqrt(1/3) and
            // sqrt(2).
            let back = Tolerance(
                terms: 4 * terms, roundings: 1, roundingsOfTerms: 3,
                size: Double(2).squareRoot() / 3)
            return [
                SideResult("y", y, Tolerance(terms: terms, roundings: 1, roundingsOfTerms: 1)),
                SideResult(gradientOf: "q", q, back),
                SideResult(gradientOf: "k", k, back),
                SideResult(gradientOf: "v", v, back),
            ]
        }
    }
}

extension HeadLayout {
    /// As in "14/2 heads of 64".
    var name: String { "\(queryHeads)/\(keyValueHeads) heads of \(dimension)" }
}
