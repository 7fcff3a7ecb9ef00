import Adapters
import Models
import Tensors
import Training

extension Bench {
    /// One whole step against the host's, and the same steps twice.
    var stepChecks: [Check] {
        guarded("step") {
            let quantized = try sizes.quantizesModels ? [TestModel.headNorms(.nf4)] : []
            let models = try [TestModel.biases()] + quantized
            return types.flatMap { type in
                models.flatMap { model in
                    [
                        named("step", model, type, "GRPO") { try self.step(model, type) },
                        named("step", model, type, "twice") { try self.twice(model, type) },
                    ]
                }
            }
        }
    }

    /// Both sides learn from the responses that the device drew.
    private func step(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        let task = try ArithmeticTask(model, on: device, as: type, sizes)
        let samples = try task.samples(step: 1)
        struct Learned {
            var gradient: [Float] = []
            var loss = 0.0
            var norm = 0.0
            /// What the update added.
            var change: [Float] = []
        }
        func learn(_ task: ArithmeticTask) throws -> Learned {
            var learned = Learned()
            let before = task.policy.parameters.values.toArray()
            learned.loss = try task.gradient(samples).loss
            learned.gradient = task.policy.parameters.gradients.toArray()
            learned.norm = try task.update()
            let after = task.policy.parameters.values.toArray()
            learned.change = zip(after, before).map { $0 - $1 }
            return learned
        }
        let found = try learn(task)
        let expected = try onHost {
            try learn(ArithmeticTask(model, on: .cpu, as: type, sizes))
        }
        let gradient = Measurement.distance(
            "gradient", found.gradient, expected.gradient, type, 60 * model.config.layerCount)
        let change = Measurement.distance("update", found.change, expected.change, type, 1)
        return [
            gradient,
            Measurement(
                "gradient's norm", error: abs(found.norm / expected.norm - 1),
                bound: gradient.bound),
            Measurement(
                "loss", error: abs(found.loss - expected.loss) / (1 + abs(expected.loss)),
                bound: gradient.bound),
            // AdamW's first step is the gradient's sign: of elements as small as the error about
            // half change it, each by two of the update's units.
            Measurement(
                "update", error: change.error, bound: 2 * gradient.bound.squareRoot()),
        ]
    }

    /// Two steps from one start have the same bits; on the host also with one thread.
    private func twice(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        struct Outcome: Equatable {
            var tokens: [[Int32]] = []
            var logProbabilities: [[Float]] = []
            var norms: [Double] = []
            var values: [Float] = []
        }
        func run() throws -> Outcome {
            let task = try ArithmeticTask(model, on: device, as: type, sizes)
            var outcome = Outcome()
            for step in 1...2 {
                let samples = try task.samples(step: step)
                outcome.tokens += samples.map(\.response)
                outcome.logProbabilities += samples.map(\.rolloutLogProbabilities)
                outcome.logProbabilities += try task.gradient(samples).logProbabilities
                outcome.norms.append(try task.update())
            }
            outcome.values = task.policy.parameters.values.toArray()
            return outcome
        }
        let first = try run()
        let threads = Threads.count
        if device.isHost { Threads.setCount(1) }
        defer { Threads.setCount(threads) }
        let second = try run()
        return [
            Measurement("tokens", holds: first.tokens == second.tokens, detail: "they differ"),
            Measurement(
                "log-probabilities", holds: first.logProbabilities == second.logProbabilities,
                detail: "they differ"),
            Measurement(
                "parameters",
                holds: first.values == second.values && first.norms == second.norms,
                detail: "they differ"),
        ]
    }
}
