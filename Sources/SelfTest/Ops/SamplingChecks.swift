import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Bench {
    /// Tokens drawn with given uniform numbers.
    var samplingChecks: [Check] {
        sizes.vocabularies.map { V in
            Check(group: "sampling", name: "12 rows of \(V)") { sampled(V) }
        }
    }

    /// Each token must be one that its uniform number falls on by the distribution in f64, or next
    /// to it within what the sums of f32 weights are off by.
    private func sampled(_ V: Int) -> [Measurement] {
        var random = SplitMix64(seed: 7)
        let choices = Self.choices.map { temperature, topK, topP in
            TokenChoice(
                temperature: temperature, topK: topK, topP: topP,
                uniform: (random.nextSigned() + 1) / 2)
        }
        let S = choices.count
        var logits = (0..<S * V).map { _ in 5 * random.nextSigned() }
        // Equal logits, which only their ids order, and tokens that may never be drawn.
        for row in 0..<S {
            for place in 0..<V where place % 5 == 3 { logits[row * V + place] = 1.25 }
            logits[row * V + V / 2] = -.infinity
        }
        let found = sample(Tensor(logits, shape: [S, V], on: device), choices)
        var (wrong, errors): ([String], [Double]) = ([], [])
        for row in 0..<S {
            let distribution = DrawnDistribution(logits[row * V..<(row + 1) * V], choices[row])
            let token = Int(found.tokens[row])
            guard distribution.allows(token) else {
                wrong.append("row \(row) (\(choices[row])) gave \(token)")
                continue
            }
            let expected = distribution.logProbability(of: token)
            errors.append(
                abs(Double(found.logProbabilities[row]) - expected) / (1 + abs(expected)))
        }
        return [
            Measurement(
                "tokens", error: Double(wrong.count), bound: 0,
                detail: wrong.joined(separator: "; ")),
            Measurement(
                "log-probabilities", error: errors.max() ?? 0,
                bound: Tolerance(terms: V).bound(.float32)),
        ]
    }

    private static let choices: [(Float, Int, Float)] = [
        (0, 0, 1), (1, 0, 1), (0.7, 0, 1), (1.3, 0, 1), (1, 1, 1), (0.8, 5, 1), (1.1, 40, 1),
        (1, 0, 0.1), (0.9, 0, 0.5), (1.2, 0, 0.95), (0.7, 20, 0.8), (1, 100, 0.3),
    ]
}

/// What a token is drawn from, in f64 and with the vocabulary sorted: no kernel's way.
private struct DrawnDistribution {
    private let logits: ArraySlice<Float>
    private let choice: TokenChoice
    /// Tokens by their logit, the largest first, among equals by their id; with their weights.
    private let order: [(id: Int, weight: Double)]
    private let mass: Double

    /// What sums of f32 weights in another order, and their exponentials, are off by at most: 2^-18
    /// of the mass.
    private static let slack = 0x1p-18

    init(_ logits: ArraySlice<Float>, _ choice: TokenChoice) {
        self.logits = logits
        self.choice = choice
        let most = Double(logits.max() ?? 0)
        let temperature = choice.temperature > 0 ? Double(choice.temperature) : 1
        let ids = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        let sorted = ids.map {
            (id: $0 - logits.startIndex, weight: exp((Double(logits[$0]) - most) / temperature))
        }
        let isCut = choice.temperature > 0 && choice.topK > 0
        order = isCut ? Array(sorted.prefix(choice.topK)) : sorted
        mass = order.reduce(0) { $0 + $1.weight }
    }

    /// How many tokens are kept where the wanted mass is off by `error` of it.
    private func keptCount(_ error: Double) -> Int {
        let wanted = Double(choice.topP) + error
        guard choice.temperature > 0, choice.topP < 1 else { return order.count }
        var sum = 0.0
        for (place, token) in order.enumerated() {
            sum += token.weight
            if sum >= wanted * mass { return place + 1 }
        }
        return order.count
    }

    /// Whether `token` may be drawn.
    func allows(_ token: Int) -> Bool {
        guard choice.temperature > 0 else { return token == order[0].id }
        return Set([keptCount(-Self.slack), keptCount(0), keptCount(Self.slack)]).contains {
            allows(token, kept: $0)
        }
    }

    private func allows(_ token: Int, kept: Int) -> Bool {
        let tokens = order.prefix(kept).sorted { $0.id < $1.id }
        let total = tokens.reduce(0) { $0 + $1.weight }
        let target = Double(choice.uniform) * total
        var passed = 0.0
        for (id, weight) in tokens {
            if id == token {
                return weight > 0 && passed - Self.slack * total <= target
                    && target <= passed + weight + Self.slack * total
            }
            passed += weight
        }
        return false
    }

    /// Its log-probability among the kept.
    func logProbability(of token: Int) -> Double {
        let kept = order.prefix(keptCount(0))
        let total = kept.reduce(0) { $0 + $1.weight }
        guard let weight = order.first(where: { $0.id == token })?.weight else { return .nan }
        return log(weight / total)
    }
}
