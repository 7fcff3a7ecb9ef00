import Adapters
import Models
import Rollouts
import Tensors

extension Bench {
    /// What a rollout says of its tokens, against what training says of them: with adapters and the
    /// base in one batch.
    var rolloutChecks: [Check] {
        guarded("rollouts") {
            let quantized = try sizes.quantizesModels ? [TestModel.biases(.int8)] : []
            let models = try TestModel.all().prefix(sizes.families) + quantized
            return types.flatMap { type in
                models.map { model in
                    named("rollouts", model, type) { try self.rollout(model, type) }
                }
            }
        }
    }

    private func rollout(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        let decoder = try model.decoder(on: device, as: type)
        let adapters = try [2, 3].map { try model.adapter(on: device, as: type, seed: $0) }
        let engine = try RolloutEngine(model: decoder, settings: EngineSettings())
        for (index, adapter) in adapters.enumerated() {
            try engine.register(
                EngineAdapter(
                    name: "\(index)", version: 0, weights: adapter.weights(training: false)))
        }
        let requests = requests(adapters: adapters.count)
        let completions = try engine.generate(requests)
        var (differences, count): ([Double], Int) = ([], 0)
        for (request, completion) in zip(requests, completions) {
            let weights = request.adapter.flatMap { Int($0) }
                .map { adapters[$0].weights(training: false) }
            let trained = Self.logProbabilities(
                decoder, weights, request, completion.tokens)
            count += completion.tokens.count
            differences += zip(trained, completion.logProbabilities).map {
                abs(Double($0) - Double($1))
            }
        }
        let finite = differences.map { $0.isNaN ? .infinity : $0 }
        let mean = finite.reduce(0, +) / Double(max(1, finite.count))
        return [
            Measurement("mean difference", error: mean, bound: bounds(type).mean),
            Measurement("largest difference", error: finite.max() ?? 0, bound: bounds(type).most),
            Measurement(
                "tokens", holds: count == requests.reduce(0) { $0 + $1.sampling.maxTokens },
                detail: "\(count) tokens were drawn"),
        ]
    }

    /// The host's rollouts have training's bits. Those of a device go by other kernels; in bf16 the
    /// bar is what makes them stand for training's: a mean of 0.001, and no token beyond 0.05.
    private func bounds(_ type: DataType) -> (mean: Double, most: Double) {
        if device.isHost { return (0, 0) }
        // In f32 logits of about 6 with the roundings of two layers.
        return type == .float32 ? (1e-5, 1e-4) : (1e-3, 0.05)
    }

    /// Prompts from one token on, two of which begin alike, for each adapter and the base.
    private func requests(adapters: Int) -> [RolloutRequest] {
        var side = Side(.cpu, type: .float32, precision: .float32, seed: 9)
        let shared = side.indices(19, below: 101)
        let prompts = [1, 7, 16, 33].map { side.indices($0, below: 101) } + [shared, shared]
        return prompts.suffix(sizes.prompts).enumerated().flatMap { place, prompt in
            (0...adapters).map { adapter in
                RolloutRequest(
                    id: UInt64(place * 8 + adapter), prompt: prompt,
                    sampling: SamplingSettings(
                        temperature: 0.8, maxTokens: 3 + 2 * place, ignoreEOS: true, seed: 4),
                    adapter: adapter < adapters ? "\(adapter)" : nil)
            }
        }
    }

    /// Training's log-probabilities of a response.
    private static func logProbabilities(
        _ decoder: Decoder, _ adapter: AdapterWeights?, _ request: RolloutRequest,
        _ response: [Int32]
    ) -> [Float] {
        let tokens = request.prompt + response.dropLast()
        let hidden = decoder.hidden(DecoderInput(packing: [tokens]), adapter: adapter)
        let first = Int32(request.prompt.count - 1)
        let rows = (0..<Int32(response.count)).map { first + $0 }
        return tokenLogProbabilities(
            selectRows(hidden, TokenIndices(rows), nil), decoder.weights.head,
            targets: TokenIndices(response), temperature: request.sampling.temperature, nil
        ).logProbabilities
    }
}
