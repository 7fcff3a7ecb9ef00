import Testing

@testable import Objectives

/// Importance weights, rejections and their metrics.
struct RolloutCorrectionTests {
    struct File: Decodable {
        let batches: [Batch]
        let cases: [Case]
    }

    struct Batch: Decodable {
        let lengths: [Int]
        let mask: [Float]
        let old: [Float]
        let rollout: [Float]
    }

    struct Case: Decodable {
        let batch: Int
        let weighting: String?
        let threshold: Double?
        let normalizes: Bool?
        let rules: String?
        let thresholds: String?
        let weights: [Double]?
        let kept: [Float]?
        let metrics: [String: Double]
    }

    @Test("weights, masks and metrics are those of verl")
    func equalsTheReference() throws {
        let file = try fixture("rollout_correction.json", as: File.self)
        for reference in file.cases {
            let batch = file.batches[reference.batch]
            let settings = try RolloutCorrectionSettings(
                weighting: reference.weighting, weightThreshold: reference.threshold ?? 2,
                normalizesWeights: reference.normalizes ?? false, rejections: reference.rules,
                rejectionThresholds: reference.thresholds)
            let layout = ResponseLayout(lengths: batch.lengths, mask: batch.mask)
            let found = try rolloutCorrection(
                rollout: batch.rollout, old: batch.old, layout: layout, settings: settings)
            let name = Comment(rawValue: "\(reference.weighting ?? "") \(reference.rules ?? "")")
            if let weights = reference.weights {
                #expect(largestDifference(try #require(found.weights), weights) <= 1e-6, name)
            } else {
                #expect(found.weights == nil, name)
            }
            #expect(found.mask == reference.kept ?? batch.mask, name)
            #expect(found.metrics.keys.sorted() == reference.metrics.keys.sorted(), name)
            for (key, value) in reference.metrics {
                let difference = abs(try #require(found.metrics[key]) - value)
                #expect(difference <= 1e-6 * max(1, abs(value)), "\(name) \(key)")
            }
        }
    }

    @Test("bad names and thresholds are refused in one sentence")
    func badSettingsAreRefused() {
        let cases: [(String?, String, String?, String)] = [
            ("tokens", "token_k1", "2", "nearest: \"token\""),
            (nil, "token_k4", "2", "nearest: \"token_k1\""),
            (nil, "seq_max_k1", "2", "There is no rejection rule"),
            (nil, " , ", "2", "names no rule"),
            (nil, "token_k1", nil, "but it has 0"),
            (nil, "token_k1,token_k2,token_k3", "1,2", "must have 1 value or 3"),
            (nil, "token_k2", "0.5_2", "must be one upper bound"),
            (nil, "token_k1", "0_2", "must be a ratio"),
            (nil, "token_k3", "much", "\"much\""),
        ]
        for (weighting, rules, thresholds, words) in cases {
            let error = #expect(throws: ObjectiveError.self) {
                try RolloutCorrectionSettings(
                    weighting: weighting, rejections: rules, rejectionThresholds: thresholds)
            }
            #expect(error?.message.contains(words) == true, Comment(rawValue: error?.message ?? ""))
        }
        #expect(throws: ObjectiveError.self) { try RolloutCorrectionSettings(weightThreshold: 0) }
    }

    @Test("a batch without a token, or with wrong lengths, is refused")
    func badBatchesAreRefused() throws {
        let settings = try RolloutCorrectionSettings(weighting: "token")
        let masked = ResponseLayout(lengths: [1], mask: [0])
        #expect(throws: ObjectiveError.self) {
            try rolloutCorrection(rollout: [-1], old: [-1], layout: masked, settings: settings)
        }
        #expect(throws: ObjectiveError.self) {
            try rolloutCorrection(
                rollout: [-1], old: [], layout: ResponseLayout(lengths: [1]), settings: settings)
        }
    }
}
