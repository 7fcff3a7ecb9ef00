import Models
import OracleFixtures
import Tensors
import Testing

@Suite("Full training on a device")
struct DeviceTrainingTests {
    /// A model whose every weight trains, with a value head.
    private struct Trained {
        let decoder: Decoder
        let head: ValueHead
        let parameters: ParameterBuffer

        init(_ name: String, on device: Device) throws {
            let base = try Decoder(directory: OracleFixtures.path("models/\(name)"), on: .cpu)
            let names = DecoderWeights.names(base.config)
            let parameters = ParameterBuffer(names + ValueHead.names(base.config), on: device)
            var place = 0
            let weights = DecoderWeights(base.config) { _, _ in
                defer { place += 1 }
                return parameters.parameter(place)
            }
            for (copy, original) in zip(weights.named, base.weights.named) {
                copy.weight.tensor.copy(from: original.weight.tensor.converted(to: .float32))
            }
            head = ValueHead(
                weight: parameters.parameter(names.count),
                bias: parameters.parameter(names.count + 1))
            head.weight.withMutableFloats { values in
                for index in values.indices { values[index] = Float(index % 7) * 0.1 - 0.3 }
            }
            decoder = Decoder(base.config, weights)
            self.parameters = parameters
        }

        /// The gradients of a loss that reads log-probabilities, entropies and values.
        func gradients() -> [Float] {
            let tape = Tape()
            let hidden = decoder.hidden(DeviceModel.input, tape)
            let chosen = selectRows(hidden, TokenIndices(DeviceModel.rows), tape)
            let values = head.values(chosen, tape)
            let scores = tokenLogProbabilities(
                chosen, decoder.weights.head, targets: TokenIndices(DeviceModel.targets),
                temperature: 1, tape)
            let count = DeviceModel.rows.count
            let derivatives = (0..<count).map { 0.1 * Float($0) - 0.4 }
            scores.backward(
                logProbabilityDerivatives: derivatives, entropyDerivatives: derivatives.reversed())
            // Made on the host, as those of a loss are.
            values.node?.add(Tensor(derivatives, shape: [count, 1], on: .cpu))
            tape.backward()
            return parameters.gradients.toArray()
        }
    }

    @Test("gives the host's gradients of every weight", arguments: OracleFixtures.models)
    func gradients(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try Trained(model, on: .cpu), try Trained(model, on: device)
            )
            let (expected, found) = (host.gradients(), moved.gradients())
            for slot in host.parameters.slots {
                #expect(
                    relativeDistance(found[slot.range], expected[slot.range]) <= 1e-4,
                    "\(slot.name)")
            }
            #expect(
                abs(
                    moved.parameters.gradients.sumOfSquares.squareRoot()
                        / host.parameters.gradients.sumOfSquares.squareRoot() - 1) <= 1e-5)
        }
    }

    @Test("lets a value head of f32 read hidden states of bf16")
    func valueHead() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 5)
            let D = 33
            let hidden = (0..<4 * D).map { _ in Float.random(in: -1...1, using: &random) }
            let weight = (0..<D).map { _ in Float.random(in: -1...1, using: &random) }
            func run(on device: Device, as type: DataType) -> (values: [Float], dhidden: [Float]) {
                let head = ValueHead(
                    weight: Tensor(weight, shape: [1, D], on: device),
                    bias: Tensor([0.25], shape: [1], on: device))
                var x = Tensor(hidden, shape: [4, D], on: device).converted(to: type)
                x.node = GradientNode(dataType: type, on: device)
                let tape = Tape()
                let values = head.values(x, tape)
                values.node?.add(Tensor([1, -2, 0.5, 3], shape: [4, 1], on: .cpu))
                tape.backward()
                let dhidden = x.node?.gradient
                #expect(dhidden?.dataType == type)
                return (values.toArray(), dhidden?.toArray() ?? [])
            }
            let (host, found) = (
                run(on: .cpu, as: .float32), run(on: device, as: .bfloat16)
            )
            #expect(relativeDistance(found.values, host.values) <= 5e-3)
            #expect(relativeDistance(found.dhidden, host.dhidden) <= 5e-3)
        }
    }
}
