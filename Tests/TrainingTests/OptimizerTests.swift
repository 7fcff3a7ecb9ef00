import Formats
import Models
import Objectives
import OracleFixtures
import Rewards
import Tensors
import Testing

@testable import Rollouts
@testable import Training

@Suite("Optimizer")
struct OptimizerTests {
    private func buffer(_ values: [Float], gradients: [Float]) -> ParameterBuffer {
        let buffer = ParameterBuffer([("p", [values.count])])
        buffer.values.copy(from: values)
        buffer.gradients.copy(from: gradients)
        return buffer
    }

    @Test("clipping scales all gradients to the largest norm, and they are cleared after")
    func clipping() {
        let long = buffer([1, 1], gradients: [30, 40])
        let short = buffer([1, 1], gradients: [0.6, 0.8])
        // A large epsilon keeps the size of the gradient in the step.
        let settings = AdamWSettings(epsilon: 1, weightDecay: 0)
        let norm = Optimizer(long, settings, maximumNorm: 1).update(learningRate: 0.1)
        _ = Optimizer(short, settings, maximumNorm: 10).update(learningRate: 0.1)
        #expect(norm == 50)
        #expect(largestDifference(long.values.toArray(), short.values.toArray()) < 1e-6)
        #expect(long.gradients.toArray() == [0, 0])
    }

    @Test(
        "a gradient that is not finite changes nothing and is counted",
        arguments: [Float.nan, .infinity, -.infinity])
    func notFinite(value: Float) {
        let buffer = buffer([1, 2], gradients: [0.5, value])
        let optimizer = Optimizer(buffer, AdamWSettings(), maximumNorm: 1)
        #expect(!optimizer.update(learningRate: 0.1).isFinite)
        #expect(buffer.values.toArray() == [1, 2])
        #expect(buffer.gradients.toArray() == [0, 0])
        #expect(optimizer.skippedUpdates == 1 && optimizer.step == 0)
        buffer.gradients.copy(from: [0.5, 0.5])
        #expect(optimizer.update(learningRate: 0.1).isFinite)
        #expect(optimizer.skippedUpdates == 1 && optimizer.step == 1)
        #expect(buffer.values.toArray() != [1, 2])
    }

    @Test("warm-up rises linearly, and each shape ends where transformers' does")
    func schedules() {
        func rates(_ shape: OptimizerSettings.ScheduleShape, minimum: Double = 0) -> [Double] {
            let schedule = LearningRateSchedule(
                shape: shape, peak: 1, warmupSteps: 2, totalSteps: 10, minimumRatio: minimum)
            return [0, 1, 2, 6, 10].map(schedule.rate)
        }
        func agree(_ found: [Double], _ expected: [Double]) -> Bool {
            zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 }
        }
        #expect(agree(rates(.constant), [0, 0.5, 1, 1, 1]))
        #expect(agree(rates(.linear), [0, 0.5, 1, 0.5, 0]))
        #expect(agree(rates(.cosine), [0, 0.5, 1, 0.5, 0]))
        #expect(agree(rates(.cosine, minimum: 0.1), [0, 0.5, 1, 0.55, 0.1]))
    }

    @Test("a step counts the updates that it left out, and the policy stays as it was")
    func skippedStep() throws {
        let oracle = try StepOracle("qwen2-tiny", "all-linear-r8")
        let parameters = oracle.policy.parameters
        // One number that is none in B makes every gradient one.
        parameters.parameter(1).withMutableFloats { $0[0] = .nan }
        let before = parameters.values.toArray().map(\.bitPattern)
        let optimizer = Optimizer(parameters, AdamWSettings(), maximumNorm: 1)
        let outcome = try oracle.learn(optimizer: optimizer) { $0.miniBatches.size = 2 }
        #expect(outcome.metrics["actor/skipped_updates"] == 2)
        #expect(optimizer.step == 0)
        #expect(parameters.values.toArray().map(\.bitPattern) == before)
    }
}
