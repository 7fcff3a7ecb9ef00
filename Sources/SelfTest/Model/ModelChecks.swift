import Adapters
import Models
import Tensors
import Training

extension Bench {
    /// Whole models: scores of tokens and the gradients of what is trained.
    var modelChecks: [Check] {
        guarded("models") {
            let families = try Array(TestModel.all().prefix(sizes.families))
            let kinds = sizes.quantizesModels ? Quantization.allCases : []
            let quantized = try kinds.map { try TestModel.headNorms($0) }
            let adapted = types.flatMap { type in
                (families + quantized).map { model in
                    named("models", model, type) { try self.adapted(model, type) }
                }
            }
            let whole = families.map { model in
                named("models", model, .float32, "all weights") { try self.whole(model) }
            }
            return adapted + whole
        }
    }

    /// The checks that `make` gives, or one that fails with its error.
    func guarded(_ group: String, _ make: () throws -> [Check]) -> [Check] {
        do {
            return try make()
        } catch {
            return [Check(group: group, name: "made") { throw error }]
        }
    }

    func named(
        _ group: String, _ model: TestModel, _ type: DataType, _ what: String = "",
        _ run: @escaping () throws -> [Measurement]
    ) -> Check {
        let suffix = what.isEmpty ? "" : ", \(what)"
        return Check(
            group: group, name: "\(type == .float32 ? "f32" : "bf16") \(model.name)\(suffix)",
            run: run)
    }

    /// What a model gives for a pack, and the gradients of a loss that reads all of it.
    private struct Outcome {
        var hidden: [Float] = []
        var scores: [Float] = []
        var gradients: [Float] = []
    }

    private func adapted(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        func run(
            on device: Device, keeping kept: KeptActivations = .all
        ) throws -> Outcome {
            let adapter = try model.adapter(on: device, as: type)
            return try outcome(
                model.decoder(on: device, as: type), adapter.weights(training: true),
                adapter.parameters, keeping: kept)
        }
        let found = try run(on: device)
        let again = try run(on: device, keeping: .within(bytes: 0))
        let expected = try onHost { try run(on: .cpu) }
        return measurements(found, expected, type, model) + [
            Measurement(
                "gradients with activations computed again",
                holds: again.gradients == found.gradients,
                detail: "they differ from those with activations kept")
        ]
    }

    private func whole(_ model: TestModel) throws -> [Measurement] {
        func run(on device: Device) throws -> Outcome {
            let base = try model.decoder(on: device, as: .float32)
            let policy = Device.$current.withValue(device) { Policy.full(base: base) }
            return outcome(policy.decoder, nil, policy.parameters, keeping: .all)
        }
        let found = try run(on: device)
        return measurements(found, try onHost { try run(on: .cpu) }, .float32, model)
    }

    /// In bf16 a block rounds about ten times on the way to the residual stream: its norms, products,
    /// rotations, attention and SwiGLU; and twice that often on the way back.
    private func measurements(
        _ found: Outcome, _ expected: Outcome, _ type: DataType, _ model: TestModel
    ) -> [Measurement] {
        let roundings = 10 * model.config.layerCount + 1
        return [
            .distance("hidden states", found.hidden, expected.hidden, type, roundings),
            .distance("scores", found.scores, expected.scores, type, roundings + 1),
            .distance("gradients", found.gradients, expected.gradients, type, 3 * roundings),
        ]
    }

    private func outcome(
        _ decoder: Decoder, _ adapter: AdapterWeights?, _ parameters: ParameterBuffer,
        keeping kept: KeptActivations
    ) -> Outcome {
        var side = Side(.cpu, type: .float32, precision: .float32, seed: 3)
        let input = DecoderInput(packing: [
            SequenceFamily(
                prefix: side.indices(11, below: 101),
                continuations: [4, 1, 17].map { side.indices($0, below: 101) }),
            SequenceFamily(prefix: side.indices(1, below: 101), continuations: []),
            SequenceFamily(
                prefix: side.indices(23, below: 101), continuations: [side.indices(2, below: 101)]),
        ])
        // Some rows are scored more than once, some never.
        let rows = TokenIndices(side.indices(40, below: input.tokens.count))
        let targets = TokenIndices(side.indices(40, below: 101))
        let tape = Tape()
        let hidden = decoder.hidden(input, adapter: adapter, keeping: kept, tape)
        let scores = tokenLogProbabilities(
            selectRows(hidden, rows, tape), decoder.weights.head, targets: targets,
            temperature: 0.9, tape)
        scores.backward(
            logProbabilityDerivatives: side.numbers([40]).toArray(),
            entropyDerivatives: side.numbers([40]).toArray())
        tape.backward()
        return Outcome(
            hidden: hidden.toArray(),
            scores: scores.logProbabilities + scores.entropies + scores.squaredProbabilitySums,
            gradients: parameters.gradients.toArray())
    }
}

extension Measurement {
    /// The distance of a whole result, relative to its size: of what went through many ops no single
    /// element is told the error of.
    ///
    /// Of so many roundings to bf16 one after the other, each with a deviation of 0.42 * 2^-8, the
    /// distance is the root of their number; norms and the softmax may carry on three times as much.
    /// In f32 each of them stands for sums of some hundred terms, ten roundings of 2^-24.
    static func distance(
        _ name: String, _ found: [Float], _ expected: [Float], _ type: DataType, _ roundings: Int
    ) -> Measurement {
        let unit = type == .float32 ? 10 * 0x1p-24 : 0.42 * 0x1p-8
        guard found.count == expected.count else {
            return Measurement(
                name, holds: false,
                detail: "\(found.count) elements instead of \(expected.count)")
        }
        var (difference, size) = (0.0, 0.0)
        for (a, b) in zip(found, expected) {
            difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
            size += Double(b) * Double(b)
        }
        return Measurement(
            name, error: (difference / size).squareRoot(),
            bound: 3 * unit * Double(roundings).squareRoot())
    }
}
