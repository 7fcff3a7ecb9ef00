import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct SamplingTests {
    struct Choice: Equatable {
        var token: Int32
        var logProbability: Float
    }

    func sample(_ logits: [Float], _ settings: [ck_sampling], width: Int) -> [Choice] {
        var tokens = [Int32](repeating: -7, count: settings.count)
        var logProbabilities = [Float](repeating: 7, count: settings.count)
        unsafe ck_sample(
            settings.count, width, logits, width, settings, &tokens, &logProbabilities)
        return zip(tokens, logProbabilities).map { Choice(token: $0, logProbability: $1) }
    }

    func settings(
        _ uniform: Float, temperature: Float = 1, topK: Int32 = 0, topP: Float = 1
    ) -> ck_sampling {
        ck_sampling(temperature: temperature, top_k: topK, top_p: topP, uniform: uniform)
    }

    /// The kept tokens and their probabilities, by a full sort, in double.
    func kept(_ logits: [Float], _ settings: ck_sampling) -> [Int32: Double] {
        let temperature = Double(settings.temperature)
        let largest = Double(logits.reduce(-Float.infinity, max))
        var order = logits.indices.filter { logits[$0] > -.infinity }
            .sorted { logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
        if settings.top_k > 0 { order = Array(order.prefix(Int(settings.top_k))) }
        let weights = order.map { exp((Double(logits[$0]) - largest) / temperature) }
        let mass = weights.reduce(0, +) * Double(settings.top_p)
        var cumulative = 0.0, count = 0
        repeat {
            cumulative += weights[count]
            count += 1
        } while count < order.count && (settings.top_p >= 1 || cumulative < mass)
        return Dictionary(
            uniqueKeysWithValues: (0..<count).map { (Int32(order[$0]), weights[$0] / cumulative) })
    }

    @Test(
        "The tokens drawn are those kept, with their log-probabilities",
        arguments: [
            (1000, 0.7, 0, 1.0), (1000, 1.0, 5, 1.0), (1000, 1.0, 1, 1.0), (1000, 1.3, 0, 0.6),
            (1000, 1.0, 40, 0.8), (1000, 0.2, 0, 0.999), (5000, 3.0, 2000, 0.9), (77, 1, 77, 1),
            (3000, 50.0, 0, 0.5), (1000, 1.0, 0, 0.0), (1500, 0.01, 12, 0.95),
        ])
    func keptTokens(width: Int, temperature: Double, topK: Int, topP: Double) {
        var random = RandomNumbers(seed: 81)
        // Rounded to eighths so that many logits are equal.
        var logits = random.floats(width, scale: 3).map { ($0 * 8).rounded() / 8 }
        for _ in 0..<20 { logits[random.integer(below: width)] = -.infinity }
        let draws = 400
        let all = (0..<draws).map {
            settings(
                $0 == 0 ? 0 : $0 == 1 ? 0x1.fffffep-1 : random.uniform(),
                temperature: Float(temperature), topK: Int32(topK), topP: Float(topP))
        }
        let expected = kept(logits, all[0])
        let rows = (0..<draws).flatMap { _ in logits }
        var seen: [UInt32: [Choice]] = [:]
        KernelConditions.forEach { conditions in
            let choices = sample(rows, all, width: width)
            for (choice, setting) in zip(choices, all) {
                let probability = expected[choice.token] ?? 0
                #expect(probability > 0, "\(conditions), \(choice), \(setting.uniform)")
                let error = abs(Double(choice.logProbability) - log(probability))
                #expect(error < 1e-5, "\(conditions), \(choice)")
            }
            if expected.count <= 6 {
                #expect(Set(choices.map(\.token)).isSubset(of: Set(expected.keys)))
            }
            #expect(seen[conditions.isa.rawValue, default: choices] == choices, "\(conditions)")
            seen[conditions.isa.rawValue] = choices
            // Alone, a row gives what it gives among others.
            #expect(sample(logits, [all[7]], width: width)[0] == choices[7], "\(conditions)")
        }
    }

    @Test("The uniform number walks the cumulative distribution by id, to its very ends")
    func inverseOfCumulative() {
        // Probabilities 1/4, 0, 1/2, 1/4, 0.
        let logits: [Float] = [0, -.infinity, logf(2), 0, -.infinity]
        let expected: [(Float, Int32)] = [
            (0, 0), (0.2499, 0), (0.2501, 2), (0.7499, 2), (0.7501, 3), (0x1.fffffep-1, 3),
        ]
        for (uniform, token) in expected {
            #expect(sample(logits, [settings(uniform)], width: 5)[0].token == token)
        }
        // Token 0 has the weight 0: exp(-200).
        #expect(sample([-200, 0], [settings(0)], width: 2)[0].token == 1)
        #expect(sample([0, -200], [settings(0x1.fffffep-1)], width: 2)[0].token == 0)
    }

    @Test("The ends are found where most of a long row weighs nothing")
    func lightEnds() {
        // Steps of 512: nothing at all, weights that vanish beside the middle's, the middle, and
        // again weights that vanish.
        var logits = [Float](repeating: -.infinity, count: 2048)
        for id in 512..<1024 { logits[id] = -150 }
        logits[1300] = 3
        logits[1400] = 3
        for id in 1536..<2048 { logits[id] = -150 }
        for (uniform, token) in [(0, 1300), (0.4999, 1300), (0.5001, 1400), (0x1.fffffep-1, 1400)]
            as [(Float, Int32)]
        {
            let choice = sample(logits, [settings(uniform)], width: 2048)[0]
            #expect(choice.token == token)
            #expect(abs(choice.logProbability - logf(0.5)) < 1e-6)
        }
    }

    @Test("Temperature 0 takes the first of the most probable and its plain log-probability")
    func greedy() {
        let logits: [Float] = [1, 3, -2, 3, 0]
        let choice = sample(logits, [settings(0.9, temperature: 0, topK: 2)], width: 5)[0]
        let mass = logits.reduce(0.0) { $0 + exp(Double($1) - 3) }
        #expect(choice.token == 1)
        #expect(abs(Double(choice.logProbability) + log(mass)) < 1e-6)
    }

    @Test("Among equals the lower ids are kept")
    func ties() {
        let logits = [Float](repeating: 0.5, count: 3000)
        for uniform: Float in [0, 0.3, 0.6, 0x1.fffffep-1] {
            let byCount = sample(logits, [settings(uniform, topK: 3)], width: 3000)[0]
            #expect(byCount.token == Int32(uniform * 3))
            #expect(abs(byCount.logProbability + logf(3)) < 1e-6)
            let byMass = sample(logits, [settings(uniform, topP: 0.5)], width: 3000)[0]
            #expect(byMass.token == Int32(uniform * 1500))
        }
    }

    @Test("Rows without a distribution give token -1")
    func noDistribution() {
        let bad: [Float] = [0, .nan, 1, 0, .infinity, 1, -.infinity, -.infinity, -.infinity]
        for temperature: Float in [0, 1] {
            let all = [Float](repeating: 0.5, count: 3).map {
                settings($0, temperature: temperature)
            }
            for choice in sample(bad, all, width: 3) {
                #expect(choice.token == -1 && choice.logProbability.isNaN)
            }
        }
    }

    @Test("Draws follow the distribution (chi-square, fixed seed)")
    func distribution() {
        let width = 20, draws = 20000
        var random = RandomNumbers(seed: 82)
        let logits = random.floats(width)
        let setting = settings(0, temperature: 0.8, topK: 15, topP: 0.95)
        let expected = kept(logits, setting)
        var counts: [Int32: Int] = [:]
        let rows = (0..<draws).flatMap { _ in logits }
        let all = (0..<draws).map { _ in
            settings(random.uniform(), temperature: 0.8, topK: 15, topP: 0.95)
        }
        for choice in sample(rows, all, width: width) { counts[choice.token, default: 0] += 1 }
        #expect(Set(counts.keys) == Set(expected.keys))
        let chiSquare = expected.reduce(0.0) { sum, entry in
            let mean = entry.value * Double(draws)
            let difference = Double(counts[entry.key, default: 0]) - mean
            return sum + difference * difference / mean
        }
        // Up to 14 degrees of freedom: 36.1 is exceeded once in 1,000 seeds.
        #expect(chiSquare < 36.1)
    }
}
