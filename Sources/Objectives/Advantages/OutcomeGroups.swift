/// Scores of a batch by the prompt they answer.
struct OutcomeGroups {
    /// Score of each sequence, `[S]`.
    let scores: [Double]
    /// The sequences of each group, in the order in which groups and sequences appear.
    let members: [[Int]]

    /// The groups of a batch with its outcome scores.
    init(_ inputs: AdvantageInputs) {
        self.init(scores: inputs.outcomes, groups: inputs.groups)
    }

    /// Groups with scores, `[S]` both.
    init(scores: [Double], groups: [Int]) {
        self.scores = scores
        var places: [Int: Int] = [:]
        var members: [[Int]] = []
        for (sequence, group) in groups.enumerated() {
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

    /// What a score is measured against: the group's mean, or 0 in a group of one.
    func baseline(_ sequences: [Int]) -> Double {
        sequences.count == 1 ? 0 : mean(sequences)
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

extension AdvantageInputs {
    /// Reward of each token, `[T]`, 0 where masked.
    ///
    /// Without token rewards a score lies on the last unmasked token of its sequence.
    var rewards: [Double] {
        var rewards = [Double](repeating: 0, count: layout.tokenCount)
        for sequence in 0..<layout.sequenceCount {
            let tokens = layout.tokens(of: sequence)
            if let tokenRewards {
                for token in tokens where layout.isUnmasked(token) {
                    rewards[token] = Double(tokenRewards[token])
                }
            } else if let last = tokens.last(where: layout.isUnmasked) {
                rewards[last] = Double(scores[sequence])
            }
        }
        return rewards
    }

    /// Reward of each token and of all later ones of its sequence, discounted, `[T]`.
    ///
    /// A masked token (a tool's output) has no reward and takes no step: later rewards reach the
    /// tokens before it as if it were not there.
    func returns(discount: Double = 1) -> [Double] {
        var returns = rewards
        for sequence in 0..<layout.sequenceCount {
            var later = 0.0
            for token in layout.tokens(of: sequence).reversed() {
                if layout.isUnmasked(token) { later = returns[token] + discount * later }
                returns[token] = later
            }
        }
        return returns
    }
}

extension AdvantageEstimates {
    /// One value a sequence, given to each of its unmasked tokens, as advantage and as return.
    init(broadcasting values: [Double], over layout: ResponseLayout) {
        let tokens = layout.broadcast(values)
        self.init(advantages: tokens, returns: tokens, layout)
    }

    /// Values in double precision, `[T]` both; advantages of masked tokens become 0.
    init(advantages: [Double], returns: [Double], _ layout: ResponseLayout) {
        self.init(
            advantages: advantages.indices.map {
                layout.isUnmasked($0) ? Float(advantages[$0]) : 0
            },
            returns: returns.map { Float($0) })
    }
}

extension ResponseLayout {
    /// One value a sequence, `[S]`, given to each of its unmasked tokens, `[T]`; 0 where masked.
    func broadcast(_ values: [Double]) -> [Double] {
        var tokens = [Double](repeating: 0, count: tokenCount)
        for sequence in 0..<sequenceCount {
            for token in self.tokens(of: sequence) where isUnmasked(token) {
                tokens[token] = values[sequence]
            }
        }
        return tokens
    }
}
