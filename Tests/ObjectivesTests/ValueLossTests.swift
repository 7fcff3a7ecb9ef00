import Testing

@testable import Objectives

/// The critic's loss.
struct ValueLossTests {
    struct File: Decodable {
        let valueLosses: [Case]
    }

    struct Case: Decodable {
        let lengths: [Int]
        let mask: [Float]?
        let aggregation: String?
        let predictions: [Float]
        let returns: [Float]
        let oldValues: [Float]
        let clipRange: Double
        let loss: Double
        let clipFraction: Double
        let gradient: [Double]
    }

    @Test("loss, gradient and clipped share are those of verl")
    func equalsTheReference() throws {
        let file = try fixture("kl_and_value.json", as: File.self)
        let covered = Set(file.valueLosses.compactMap(\.aggregation))
        #expect(covered == Set(LossAggregation.allCases.map(\.rawValue)))
        for reference in file.valueLosses {
            let inputs = ValueLossInputs(
                layout: ResponseLayout(lengths: reference.lengths, mask: reference.mask),
                predictions: reference.predictions, oldValues: reference.oldValues,
                returns: reference.returns)
            let result = try valueLoss(
                inputs,
                settings: ValueLossSettings(
                    clipRange: reference.clipRange,
                    aggregation: LossAggregation(named: reference.aggregation ?? "token-mean")),
                counts: GlobalCounts(
                    inputs.layout, paddedResponseLength: reference.lengths.max()))
            #expect(abs(result.loss - reference.loss) <= 1e-6 * reference.loss)
            #expect(largestDifference(result.derivatives, reference.gradient) <= 1e-7)
            let clipped = try #require(result.metrics["critic/vf_clipfrac"])
            #expect(abs(clipped - reference.clipFraction) <= 1e-6)
        }
    }

    @Test(
        "the gradient agrees with finite differences, and parts add up",
        arguments: LossAggregation.allCases)
    func gradientIsRight(aggregation: LossAggregation) throws {
        var numbers = SeededNumbers(seed: 9)
        func values() -> [Float] { (0..<7).map { _ in Float(numbers.next(in: -1...1)) } }
        let layout = ResponseLayout(lengths: [4, 3], mask: [1, 1, 0, 1, 1, 1, 1])
        let inputs = ValueLossInputs(
            layout: layout, predictions: values(), oldValues: values(), returns: values())
        let settings = try ValueLossSettings(
            clipRange: 0.3, aggregation: aggregation, lossScaleFactor: 5)
        let counts = GlobalCounts(layout)
        let result = try valueLoss(inputs, settings: settings, counts: counts)
        let step: Float = 1.0 / 4096
        for token in 0..<7 {
            var (below, above) = (inputs, inputs)
            above.predictions[token] += step
            below.predictions[token] -= step
            let slope =
                try valueLoss(above, settings: settings, counts: counts).loss
                - valueLoss(below, settings: settings, counts: counts).loss
            let found = Double(result.derivatives[token])
            #expect(abs(slope / Double(2 * step) - found) <= 1e-6)
        }
        let parts = try [(0..<4, layout.mask?.prefix(4)), (4..<7, layout.mask?.suffix(3))].map {
            tokens, mask in
            let part = ValueLossInputs(
                layout: ResponseLayout(lengths: [tokens.count], mask: mask.map(Array.init)),
                predictions: Array(inputs.predictions[tokens]),
                oldValues: Array(inputs.oldValues[tokens]), returns: Array(inputs.returns[tokens]))
            return try valueLoss(part, settings: settings, counts: counts)
        }
        let sum = parts[0].loss + parts[1].loss
        #expect(abs(sum - result.loss) <= 1e-12)
        #expect(parts.flatMap(\.derivatives) == result.derivatives)
    }

    @Test("wrong lengths and ranges are refused")
    func badInputIsRefused() throws {
        #expect(
            throws: ObjectiveError("critic.cliprange_value must be greater than 0, but it is 0.0.")
        ) {
            try ValueLossSettings(clipRange: 0)
        }
        let inputs = ValueLossInputs(
            layout: ResponseLayout(lengths: [2]), predictions: [1, 2], oldValues: [1],
            returns: [1, 2])
        let settings = try ValueLossSettings()
        #expect(throws: ObjectiveError("There are 1 old values for 2 response tokens.")) {
            try valueLoss(inputs, settings: settings, counts: GlobalCounts(inputs.layout))
        }
    }
}
