/// How PF-PPO chooses what to learn from (`algorithm.pf_ppo`).
package struct PFPPOSettings: Sendable, Equatable {
    /// What a response weighs in the choice; raw values are verl's (`pf_ppo.reweight_method`).
    package enum Method: String, CaseIterable, Sendable {
        /// `|score|^power`.
        case power = "pow"
        /// 1 for the best and the worst scores of the batch, 0 between them.
        case extremes = "max_min"
        /// 0.4 for the best score of the batch, 0.1 for any other.
        case bestOrRandom = "max_random"
    }

    /// What a response weighs.
    package let method: Method
    /// The exponent of `power` (`pf_ppo.weight_pow`).
    package let power: Double

    /// Settings that are checked; the defaults are verl's.
    ///
    /// - Throws: when there is no method of this name, or the power is less than 0.
    package init(method: String = "pow", power: Double = 2) throws(ObjectiveError) {
        guard let known = Method(rawValue: method) else {
            let names = Method.allCases.map(\.rawValue)
            throw .unknown("PF-PPO method (pf_ppo.reweight_method)", method, known: names)
        }
        try checkSetting("algorithm.pf_ppo.weight_pow", power, "at least 0") { $0 >= 0 }
        self.method = known
        self.power = power
    }
}

/// Policy filtration, https://arxiv.org/abs/2409.06957: which sequences to learn from in place of
/// those of a batch, `[S]` drawn with replacement by weight, as in verl's
/// `compute_pf_ppo_reweight_data`.
///
/// A score far from 0 is one that the reward is sure of, so its response is drawn more often. Each
/// weight has 1e-8 added, so that a batch of equal weights of 0 is drawn from evenly.
///
/// - Parameters:
///   - scores: the outcome score of each sequence, `[S]`.
///   - seed: with the draw's number, all that the draw depends on.
/// - Throws: when a score, or the sum of the weights, is not finite.
package func resampledSequences(
    scores: [Float], settings: PFPPOSettings, seed: UInt64
) throws(ObjectiveError) -> [Int] {
    if let odd = scores.first(where: { !$0.isFinite }) {
        throw ObjectiveError("PF-PPO needs finite scores, but one is \(odd).")
    }
    var sums: [Double] = []
    var total = 0.0
    for weight in filtrationWeights(scores.map(Double.init), settings) {
        total += weight
        sums.append(total)
    }
    guard total.isFinite else {
        throw ObjectiveError(
            "algorithm.pf_ppo.weight_pow=\(settings.power) makes weights that are too large to "
                + "add up; a smaller power would be right.")
    }
    return scores.indices.map { draw in
        let point = counterUniform(seed, draw) * total
        return min(firstIndex(in: sums, above: point), scores.count - 1)
    }
}

/// What each sequence weighs in the draw, `[S]`.
func filtrationWeights(_ scores: [Double], _ settings: PFPPOSettings) -> [Double] {
    let (best, worst) = (scores.max() ?? 0, scores.min() ?? 0)
    return scores.map { score in
        let weight =
            switch settings.method {
            case .power: raised(abs(score), to: settings.power)
            case .extremes: score == best || score == worst ? 1.0 : 0
            case .bestOrRandom: score == best ? 0.4 : 0.1
            }
        return weight + 1e-8
    }
}

/// The place of the first number above a bound in numbers that never fall; their count without one.
private func firstIndex(in numbers: [Double], above bound: Double) -> Int {
    var (low, high) = (0, numbers.count)
    while low < high {
        let middle = (low + high) / 2
        if numbers[middle] > bound { high = middle } else { low = middle + 1 }
    }
    return low
}
