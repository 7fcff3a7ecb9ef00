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
        #expect(Set(file.estimators.map(\.name)) == Set(KLEstimator.names))
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

    @Test("derivatives agree with finite differences", arguments: KLEstimator.names)
    func derivativesAreRight(name: String) throws {
        let estimator = try KLEstimator(named: name)
        // A straight-through form has its own value, and the slope of k2.
        let valued = estimator.straightThrough ? KLEstimator(.k2) : estimator
        let step = 1e-5
        for difference in [-25, -4, -0.7, -0.05, 0.05, 0.7, 4, 19, 25] {
            func value(_ shift: Double) -> Double {
                valued.estimate(logProbability: difference - 1 + shift, reference: -1).value
            }
            let slope = (value(step) - value(-step)) / (2 * step)
            let found = estimator.estimate(logProbability: difference - 1, reference: -1).derivative
            #expect(abs(slope - found) <= 1e-7 * max(1, abs(found)), "\(name) at \(difference)")
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
