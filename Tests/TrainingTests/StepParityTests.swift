import Adapters
import Formats
import Models
import Objectives
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// Every model with every adapter.
private let pairs = OracleFixtures.models.flatMap { model in
    OracleFixtures.adapters.map { (model, $0) }
}

/// The loss of each step in double precision (the model's forward pass, too), for the same inputs.
///
/// torch's f32 losses lie up to 5.5e-7 of their size from these, because positive and negative
/// terms several times as large cancel in them; another f32 program may lie as far on the other
/// side.
private let exactLosses = [
    "qwen2-tiny--all-linear-r8": -0.188593737927, "qwen2-tiny--qv-r4": 0.251671694491,
    "qwen2-tiny--rslora-r16": 0.153607224492, "llama3-tiny--all-linear-r8": -0.139963102889,
    "llama3-tiny--qv-r4": 0.247249004126, "llama3-tiny--rslora-r16": 0.301799218615,
    "qwen3-tiny--all-linear-r8": 0.352184224744, "qwen3-tiny--qv-r4": -0.361369799194,
    "qwen3-tiny--rslora-r16": -0.721263569875,
]

@Suite("One step against torch")
struct StepParityTests {
    @Test("log-probabilities and entropies, with the adapter and without", arguments: pairs)
    func scores(model: String, adapter: String) throws {
        let oracle = try StepOracle(model, adapter)
        let packed = PackedSamples(oracle.samples)
        let temperature = oracle.settings.temperature
        let scores = oracle.policy.score(
            packed, temperature: temperature, keeping: .all, nil)
        let reference = ReferenceModel(base: oracle.policy.base).score(
            packed, temperature: temperature)
        let differences = try [
            largestDifference(scores.logProbabilities, oracle.responseValues("logprobs")),
            largestDifference(scores.entropies, oracle.responseValues("entropy")),
            largestDifference(
                reference.logProbabilities, oracle.responseValues("ref_logprobs")),
        ]
        #expect(differences.allSatisfy { $0 <= 2e-5 }, "\(differences)")
    }

    @Test("loss, gradients and their norm", arguments: pairs)
    func gradients(model: String, adapter: String) throws {
        let oracle = try StepOracle(model, adapter)
        let result = try accumulatePolicyGradient(
            oracle.policy, oracle.samples, oracle.settings)
        let torch = Double(try oracle.file.floats("loss")[0])
        let exact = try #require(exactLosses["\(model)--\(adapter)"])
        #expect(abs(result.loss / exact - 1) <= 1e-6)
        #expect(abs(result.loss / torch - 1) <= 1e-6 + abs(torch / exact - 1))
        for (name, gradient) in oracle.policy.parameters.gradientsByName {
            let distance = try relativeDistance(gradient, oracle.file.floats("grad:\(name)"))
            #expect(distance <= 1e-4, "\(name)")
        }
        let norm = oracle.policy.parameters.gradients.sumOfSquares.squareRoot()
        let normDistance = abs(norm / Double(try oracle.file.floats("grad_norm")[0]) - 1)
        #expect(normDistance <= 1e-5)
    }

    @Test("AdamW's update", arguments: pairs)
    func update(model: String, adapter: String) throws {
        let oracle = try StepOracle(model, adapter)
        let parameters = oracle.policy.parameters
        for (index, slot) in parameters.slots.enumerated() {
            parameters.gradient(index).copy(from: try oracle.file.floats("grad:\(slot.name)"))
        }
        let optimizer = Optimizer(
            parameters, try oracle.optimizerSettings(),
            maximumNorm: try oracle.constant("grad_clip"))
        _ = optimizer.update(learningRate: try oracle.constant("lr"))
        for (index, slot) in parameters.slots.enumerated() {
            let expected = try oracle.file.floats("after:\(slot.name)")
            let difference = largestDifference(parameters.parameter(index).toArray(), expected)
            // The rate is 0.01, so this is a millionth of a step.
            #expect(difference <= 1e-7, "\(slot.name)")
        }
    }

    @Test("the whole step, from samples to parameters", arguments: pairs)
    func wholeStep(model: String, adapter: String) throws {
        let oracle = try StepOracle(model, adapter)
        let parameters = oracle.policy.parameters
        let before = parameters.values.toArray()
        _ = try accumulatePolicyGradient(oracle.policy, oracle.samples, oracle.settings)
        let optimizer = Optimizer(
            parameters, try oracle.optimizerSettings(),
            maximumNorm: try oracle.constant("grad_clip"))
        _ = optimizer.update(learningRate: try oracle.constant("lr"))
        var (found, expected): ([Float], [Float]) = ([], [])
        for (index, slot) in parameters.slots.enumerated() {
            let after = try oracle.file.floats("after:\(slot.name)")
            found += zip(parameters.parameter(index).toArray(), before[slot.range]).map { $0 - $1 }
            expected += zip(after, before[slot.range]).map { $0 - $1 }
        }
        // Adam's first step divides each gradient by its own size, so rounding in those near 0
        // shows in full; as a whole the step is the same.
        let distance = relativeDistance(found, expected)
        #expect(distance <= 1e-3)
    }
}
