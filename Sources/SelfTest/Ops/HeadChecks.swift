import Tensors

extension Bench {
    /// The fused head over vocabularies of one tile and of many, and the logits of a rollout.
    var headChecks: [Check] {
        types.flatMap { type in
            sizes.heads.flatMap { T, V, D -> [Check] in
                // One pass over a large table says as much as two do.
                V > 100_000 && type == .float32 && types.count > 1
                    ? [] : [head(type, T, V, D)]
            }
        }
    }

    private func head(_ type: DataType, _ T: Int, _ V: Int, _ D: Int) -> Check {
        check("head", "\(T) x [\(V), \(D)]", type) { side in
            let hidden = side.activation([T, D])
            let weight = side.frozen([V, D], scale: 6 / Float(D).squareRoot())
            let targets = TokenIndices(side.indices(T, below: V))
            let logits = linear(hidden.detached, .dense(weight), as: .float32, nil)
            let scores = tokenLogProbabilities(
                hidden, .dense(weight), targets: targets, temperature: 0.7, Tape())
            scores.backward(
                logProbabilityDerivatives: side.numbers([T]).toArray(),
                entropyDerivatives: side.numbers([T]).toArray())
            let terms = max(D, V)
            return [
                SideResult("logits", logits, Tolerance(terms: D)),
                SideResult(
                    "log-probabilities", scores.logProbabilities, Tolerance(terms: terms)),
                SideResult("entropies", scores.entropies, Tolerance(terms: terms)),
                SideResult(
                    "squared sums", scores.squaredProbabilitySums, Tolerance(terms: terms)),
                SideResult(
                    gradientOf: "hidden", hidden,
                    Tolerance(terms: terms, roundings: 1, roundingsOfTerms: 1)),
            ]
        }
    }
}
