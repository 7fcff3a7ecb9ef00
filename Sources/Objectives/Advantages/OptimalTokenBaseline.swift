extension AdvantageEstimator {
    /// A baseline for each token position of a group, weighted by the energy of the path so far, as
    /// in verl's `optimal_token_baseline`.
    package static let optimalTokenBaseline = AdvantageEstimator(
        "optimal_token_baseline", needs: [.oldLogProbabilities, .squaredProbabilitySums]
    ) { inputs, _ throws(ObjectiveError) in
        tokenBaselineAdvantages(inputs) { sequence in Array(inputs.layout.tokens(of: sequence)) }
    }
    /// The same with masked tokens taken out before positions are counted, and without a baseline
    /// where the longest response of a group is alone, as in verl's `tir_optimal_token_baseline`.
    package static let multiTurnOptimalTokenBaseline = AdvantageEstimator(
        "tir_optimal_token_baseline", needs: [.oldLogProbabilities, .squaredProbabilitySums]
    ) { inputs, _ throws(ObjectiveError) in
        tokenBaselineAdvantages(inputs, zeroTail: true) { sequence in
            inputs.layout.tokens(of: sequence).filter(inputs.layout.isUnmasked)
        }
    }
}

/// G_t - B_t, where B_t = sum(G_t W_t) / (sum(W_t) + 1e-8) over the group's responses at position t.
///
/// G is the return; W_t is the sum up to t of 1 - 2 p + sum over the vocabulary of p^2, times the
/// squared rollout weight if there is one. A group of one has no baseline.
///
/// - Parameters:
///   - zeroTail: whether B is 0 where the longest response of a group is alone.
///   - positions: the tokens of a sequence by their position t.
private func tokenBaselineAdvantages(
    _ inputs: AdvantageInputs, zeroTail: Bool = false, positions: (Int) -> [Int]
) -> AdvantageEstimates {
    let (returns, energies) = (inputs.returns(), inputs.pathEnergies())
    var advantages = returns
    for group in OutcomeGroups(inputs).members where group.count > 1 {
        let rows = group.map(positions).sorted { $0.count > $1.count }
        let sharedLength = zeroTail ? rows[1].count : rows[0].count
        for position in 0..<sharedLength {
            let column = rows.compactMap { $0.count > position ? $0[position] : nil }
                .filter(inputs.layout.isUnmasked)
            let weighted = column.reduce(0.0) { $0 + returns[$1] * energies[$1] }
            let total = column.reduce(0.0) { $0 + energies[$1] } + 1e-8
            for token in column { advantages[token] -= weighted / total }
        }
    }
    return AdvantageEstimates(advantages: advantages, returns: returns, inputs.layout)
}

extension AdvantageInputs {
    /// W: how much the gradient has varied along each response up to and with each token, `[T]`.
    fileprivate func pathEnergies() -> [Double] {
        let (logProbabilities, squares) = (oldLogProbabilities ?? [], squaredProbabilitySums ?? [])
        var energies = [Double](repeating: 0, count: layout.tokenCount)
        for sequence in 0..<layout.sequenceCount {
            var energy = 0.0
            for token in layout.tokens(of: sequence) {
                if layout.isUnmasked(token) {
                    let weight = rolloutWeights.map { Double($0[token]) } ?? 1
                    let probability = exponential(Double(logProbabilities[token]))
                    energy += (1 - 2 * probability + Double(squares[token])) * weight * weight
                }
                energies[token] = energy
            }
        }
        return energies
    }
}
