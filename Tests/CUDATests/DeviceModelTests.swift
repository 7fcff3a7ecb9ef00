import EmulatedGPU
import Models
import OracleFixtures
import Tensors
import Testing

@Suite("A model on a device")
struct DeviceModelTests {
    @Test("gives the host's hidden states, logits and scores", arguments: OracleFixtures.models)
    func forward(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel(model, on: .cpu), try DeviceModel(model, on: device)
            )
            let hidden = host.decoder.hidden(DeviceModel.input, adapter: host.adapter)
            let found = moved.decoder.hidden(DeviceModel.input, adapter: moved.adapter)
            #expect(found.device == device)
            #expect(relativeDistance(found.toArray(), hidden.toArray()) <= 1e-5)
            #expect(
                relativeDistance(
                    moved.decoder.logits(found).toArray(),
                    host.decoder.logits(hidden).toArray()) <= 1e-5)
            let (expected, scores) = (host.score(), moved.score())
            #expect(
                largestDifference(scores.logProbabilities, expected.logProbabilities) <= 1e-4)
            #expect(largestDifference(scores.entropies, expected.entropies) <= 1e-4)
            #expect(
                largestDifference(
                    scores.squaredProbabilitySums, expected.squaredProbabilitySums) <= 1e-5)
        }
    }

    @Test("gives the host's gradients of an adapter", arguments: OracleFixtures.models)
    func gradients(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel(model, on: .cpu), try DeviceModel(model, on: device)
            )
            let (expected, found) = (host.gradients(), moved.gradients())
            for slot in host.parameters.slots {
                #expect(
                    relativeDistance(found[slot.range], expected[slot.range]) <= 1e-4,
                    "\(slot.name)")
            }
        }
    }

    @Test("gives the same gradients when it computes activations again")
    func recomputation() throws {
        try withEmulatedDevice { device in
            for type in [DataType.float32, .bfloat16] {
                let model = try DeviceModel("qwen3-tiny", on: device, as: type)
                let kept = model.gradients()
                #expect(model.gradients(keeping: .within(bytes: 0)) == kept)
            }
        }
    }

    @Test("stays near the host in bf16", arguments: OracleFixtures.models)
    func halfPrecision(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel(model, on: .cpu),
                try DeviceModel(model, on: device, as: .bfloat16)
            )
            #expect(moved.decoder.activationType == .bfloat16)
            let (expected, found) = (host.score(), moved.score())
            #expect(
                largestDifference(found.logProbabilities, expected.logProbabilities) <= 0.05)
            #expect(relativeDistance(moved.gradients(), host.gradients()) <= 0.03)
        }
    }

    @Test("takes an update as the host does, and its products see it at once")
    func update() throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel("qwen2-tiny", on: .cpu),
                try DeviceModel("qwen2-tiny", on: device, as: .bfloat16)
            )
            let before = moved.score().logProbabilities
            let gradients = host.gradients()
            for model in [host, moved] {
                model.parameters.gradients.copy(from: gradients)
                let state = AdamWState(count: model.parameters.count, on: model.decoder.device)
                adamWUpdate(
                    model.parameters, state, AdamWSettings(), learningRate: 0.05,
                    gradientScale: 0.5)
            }
            let (expected, found) = (host.parameters.values, moved.parameters.values)
            #expect(relativeDistance(found.toArray(), expected.toArray()) <= 1e-6)
            let after = moved.score().logProbabilities
            #expect(largestDifference(after, before) > 0.1)
            #expect(largestDifference(after, host.score().logProbabilities) <= 0.1)
        }
    }

    @Test(
        "dequantises as the host does", arguments: Quantization.allCases)
    func quantized(kind: Quantization) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel("llama3-tiny", on: .cpu, quantization: kind),
                try DeviceModel("llama3-tiny", on: device, quantization: kind)
            )
            let (expected, found) = (host.score(), moved.score())
            #expect(
                largestDifference(found.logProbabilities, expected.logProbabilities) <= 1e-4)
            #expect(relativeDistance(moved.gradients(), host.gradients()) <= 1e-4)
        }
    }

    @Test("is sent what it reads of a plan once, not once a layer or a pass")
    func uploads() throws {
        try withEmulatedDevice { gpu, device in
            let model = try DeviceModel("qwen3-tiny", on: device, as: .bfloat16)
            let input = DeviceModel.input
            let first = model.decoder.hidden(input, adapter: model.adapter, Tape()).toArray()
            gpu.resetCounts()
            let second = model.decoder.hidden(input, adapter: model.adapter, Tape()).toArray()
            #expect(gpu.uploadedByteCount == 0)
            #expect(gpu.downloadedByteCount == 2 * second.count)
            #expect(first == second)
        }
    }

    @Test("leaves nothing behind but its weights and its adapter")
    func memory() throws {
        try withEmulatedDevice { device in
            guard case .cuda(let cuda) = device else { return }
            let model = try DeviceModel("qwen3-tiny", on: device, as: .bfloat16)
            _ = model.gradients()
            model.parameters.clearGradients()
            let used = cuda.pool.ledger.bytesInUse
            for _ in 0..<3 {
                _ = model.gradients(keeping: .within(bytes: 20000))
                model.parameters.clearGradients()
            }
            #expect(cuda.pool.ledger.bytesInUse == used)
            #expect(cuda.pool.ledger.bytesByPurpose[.activations, default: 0] == 0)
        }
    }
}
