import Testing

@testable import Objectives

/// KL estimates and their derivatives.
struct KLEstimatorTests {
    struct File: Decodable {
        let logProbabilities: [Float]
        let reference: [Float]
        let estimators: [Estimator]
    }

    struct Estimator: Decodable {
        let name: String
        let values: [Double]
        let gradient: [Double]
    }

    @Test("values and derivatives are those of verl")
    func estimatesEqualTheReference() throws {
        let file = try fixture("kl_and_value.json", as: File.self)
        #expect(file.estimators.count == 7)
        for expected in file.estimators {
            let estimator = try KLEstimator(named: expected.name)
            for (token, reference) in file.reference.enumerated() {
                let (value, derivative) = estimator.estimate(
                    logProbability: Double(file.logProbabilities[token]),
                    reference: Double(reference))
                let name = Comment(rawValue: "\(expected.name) token \(token)")
                #expect(
                    abs(value - expected.values[token]) <= 1e-6 * max(1, abs(value)), name)
                #expect(
                    abs(derivative - expected.gradient[token]) <= 1e-6 * max(1, abs(derivative)),
                    name)
            }
        }
    }

    @Test("a straight-through form has its own value and the derivative of k2")
    func straightThroughTakesTheDerivativeOfK2() throws {
        let plain = try KLEstimator(named: "k3").estimate(logProbability: -1, reference: -1.5)
        let form = try KLEstimator(named: "low_var_kl+").estimate(
            logProbability: -1, reference: -1.5)
        #expect(form.value == plain.value)
        #expect(form.derivative == 0.5)
        #expect(plain.derivative != 0.5)
    }

    @Test("every name of verl is known")
    func namesAreKnown() throws {
        #expect(KLEstimator.names.count == 14)
        for name in KLEstimator.names { _ = try KLEstimator(named: name) }
    }
}
