/// Scores of a batch by the prompt they answer.
struct OutcomeGroups {
    /// Score of each sequence, `[S]`.
    let scores: [Double]
    /// The sequences of each group, in the order in which groups and sequences appear.
    let members: [[Int]]

    init(_ inputs: AdvantageInputs) {
        scores = inputs.outcomes
        var places: [Int: Int] = [:]
        var members: [[Int]] = []
        for (sequence, group) in inputs.groups.enumerated() {
            if let place = places[group] {
                members[place].append(sequence)
            } else {
                places[group] = members.count
                members.append([sequence])
            }
        }
        self.members = members
    }

    /// Mean score of some sequences.
    func mean(_ sequences: [Int]) -> Double {
        sequences.reduce(0.0) { $0 + scores[$1] } / Double(sequences.count)
    }

    /// Variance of the scores of at least two sequences, with Bessel's correction.
    func variance(_ sequences: [Int]) -> Double {
        let mean = mean(sequences)
        let squares = sequences.reduce(0.0) {
            $0 + (scores[$1] - mean) * (scores[$1] - mean)
        }
        return squares / Double(sequences.count - 1)
    }

    /// Scores after a function of each group's sequences, `[S]`.
    func map(
        _ transform: (_ sequences: [Int]) throws(ObjectiveError) -> [Double]
    ) throws(ObjectiveError) -> [Double] {
        var result = scores
        for sequences in members {
            let values = try transform(sequences)
            for (sequence, value) in zip(sequences, values) { result[sequence] = value }
        }
        return result
    }
}

extension AdvantageInputs {
    /// Score of each sequence in double precision, `[S]`: the sum of its token rewards if it has any.
    var outcomes: [Double] {
        guard let tokenRewards else { return scores.map(Double.init) }
        return (0..<layout.sequenceCount).map { sequence in
            layout.tokens(of: sequence).reduce(0.0) { $0 + Double(tokenRewards[$1]) }
        }
    }
}

extension AdvantageEstimates {
    /// One value a sequence, given to each of its unmasked tokens, as advantage and as return.
    init(broadcasting values: [Double], over layout: ResponseLayout) {
        var tokens = [Float](repeating: 0, count: layout.tokenCount)
        for sequence in 0..<layout.sequenceCount {
            for token in layout.tokens(of: sequence) where layout.isUnmasked(token) {
                tokens[token] = Float(values[sequence])
            }
        }
        self.init(advantages: tokens, returns: tokens)
    }
}
