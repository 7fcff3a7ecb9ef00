import Adapters
import Models
import Objectives
import Rollouts
import Tensors
import Training

/// Steps of GRPO that teach a tiny model sums of two digits: rollouts, rewards, the reference's
/// log-probabilities, advantages, an update, and the next version of the adapter.
struct ArithmeticTask {
    let policy: Policy
    let adapter: LoRAAdapter
    private let engine: RolloutEngine
    private let optimizer: Optimizer
    private let settings: PolicyUpdateSettings
    /// Problems of a step, and responses to each.
    private let (problems, groupSize): (Int, Int)

    static let temperature: Float = 0.9
    private static let learningRate = 0.01
    private static let sums: [(Int32, Int32)] = [(1, 2), (4, 4), (9, 7), (0, 5)]
    /// What stands between the digits, and after them.
    private static let (plus, equals): (Int32, Int32) = (10, 11)

    init(_ model: TestModel, on device: Device, as type: DataType, _ sizes: SelfTestSizes) throws {
        (problems, groupSize) = (sizes.problems, sizes.responses)
        let base = try model.decoder(on: device, as: type)
        let adapter = try model.adapter(on: device, as: type)
        policy = .lowRank(
            base: base, adapter: adapter.weights(training: true), parameters: adapter.parameters)
        self.adapter = adapter
        engine = try RolloutEngine(model: base, settings: EngineSettings())
        optimizer = Device.$current.withValue(device) {
            Optimizer(adapter.parameters, AdamWSettings(), maximumNorm: 1)
        }
        settings = PolicyUpdateSettings(
            loss: try PolicyLossSettings(
                entropyCoefficient: 0.01, useKLLoss: true, klCoefficient: 0.01),
            temperature: Self.temperature, microBatches: .samples(16), kept: .all,
            paddedResponseLength: 8)
    }

    /// Responses to all sums, with their advantages.
    func samples(step: Int) throws -> [PolicySample] {
        var requests: [RolloutRequest] = []
        for (first, second) in Self.sums.prefix(problems) {
            for _ in 0..<groupSize {
                requests.append(
                    RolloutRequest(
                        id: UInt64(step << 16 + requests.count),
                        prompt: [first, Self.plus, second, Self.equals],
                        sampling: SamplingSettings(
                            temperature: Self.temperature, maxTokens: 5, ignoreEOS: true,
                            seed: 6)))
            }
        }
        let completions = try engine.generate(requests, adapter: served)
        engine.releaseCache()
        var samples = zip(requests, completions).map {
            PolicySample(
                prompt: $0.prompt, response: $1.tokens,
                rolloutLogProbabilities: $1.logProbabilities)
        }
        let estimates = try advantages(
            AdvantageInputs(
                layout: samples.responseLayout, scores: samples.map(Self.reward),
                groups: samples.indices.map { $0 / groupSize }),
            estimator: AdvantageEstimator(named: "grpo"))
        var rest = estimates.advantages[...]
        for index in samples.indices {
            samples[index].advantages = Array(rest.prefix(samples[index].response.count))
            rest = rest.dropFirst(samples[index].response.count)
        }
        return samples
    }

    /// The policy's own responses are judged by how near their first token comes to the sum.
    private static func reward(_ sample: PolicySample) -> Float {
        let sum = sample.prompt[0] + sample.prompt[2]
        return 1 - Float(abs(sum - (sample.response.first ?? 0))) / 100
    }

    /// The gradient that samples give, `[parameters]`, and the metrics of their loss.
    func gradient(_ samples: [PolicySample]) throws -> PolicyGradient {
        let reference = ReferenceModel(base: policy.base)
        let known = try logProbabilities(samples, .samples(16)) {
            reference.score($0, temperature: Self.temperature)
        }
        var samples = samples
        for (index, list) in known.enumerated() {
            samples[index].referenceLogProbabilities = list
        }
        return try accumulatePolicyGradient(policy, samples, settings)
    }

    /// Takes a step along the gradient that collected, and publishes what came of it; the norm.
    @discardableResult
    func update() throws -> Double {
        let norm = optimizer.update(learningRate: Self.learningRate)
        try publish()
        return norm
    }

    /// Lets the engine serve the adapter as it is now.
    func publish() throws {
        adapter.publish()
        try engine.register(served)
    }

    private var served: EngineAdapter {
        EngineAdapter(
            name: "policy", version: adapter.version, weights: adapter.weights(training: false))
    }
}
