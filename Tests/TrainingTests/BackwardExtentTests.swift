import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// How far down a backward pass goes, counted in the steps that a forward pass records.
@Suite("Extent of the backward pass")
struct BackwardExtentTests {
    /// An adapter of rank 2 that trains, on these projections of one layer.
    private func adapter(
        _ decoder: Decoder, layer: Int, _ projections: [Projection]
    ) -> AdapterWeights {
        var weights = AdapterWeights(layerCount: decoder.weights.layers.count)
        for projection in projections {
            let shape = projection.shape(decoder.config)
            var (A, B) = (Tensor(zeros: [2, shape[1]]), Tensor(zeros: [shape[0], 2]))
            A.fill(0.1)
            B.fill(0.1)
            A.node = GradientNode(accumulatingInto: Tensor(zeros: A.shape))
            B.node = GradientNode(accumulatingInto: Tensor(zeros: B.shape))
            weights[layer, projection] = LowRank(A: A, B: B, scale: 1)
        }
        return weights
    }

    private func steps(
        _ decoder: Decoder, _ adapter: AdapterWeights, _ kept: KeptActivations
    ) -> Int {
        let tape = Tape()
        let input = DecoderInput(packing: [[3, 4, 5], [6, 7]])
        _ = decoder.hidden(input, adapter: adapter, keeping: kept, tape)
        return tape.stepCount
    }

    @Test("ends at the lowest module that trains", arguments: OracleFixtures.models)
    func lowestModule(model: String) throws {
        let decoder = try Decoder(directory: OracleFixtures.path("models/\(model)"))
        let last = decoder.weights.layers.count - 1
        func steps(_ layer: Int, _ projections: [Projection], _ kept: KeptActivations = .all) -> Int
        {
            self.steps(decoder, adapter(decoder, layer: layer, projections), kept)
        }
        // The product, the sum with the residual, the last norm.
        #expect(steps(last, [.down]) == 3)
        // The same after the product, SwiGLU, the product with down.
        #expect(steps(last, [.gate]) == 5)
        // A whole block more.
        let block = steps(0, [.down]) - steps(1, [.down])
        #expect(block > 10)
        #expect(steps(last - 1, [.down]) == 3 + block)
        // Blocks that are computed again are one step each, and none where nothing trains.
        #expect(steps(last, [.down], .within(bytes: 0)) == 2)
        #expect(steps(0, [.down], .within(bytes: 0)) == last + 2)
    }

    @Test(
        "reaches neither the embedding nor any other frozen weight",
        arguments: OracleFixtures.models)
    func frozenWeights(model: String) throws {
        let policy = try StepOracle(model, "all-linear-r8").policy
        let decoder = policy.decoder
        #expect(decoder.weights.named.allSatisfy { $0.weight.node == nil })
        let all = adapter(decoder, layer: 0, Projection.allCases)
        let block =
            steps(decoder, adapter(decoder, layer: 0, [.down]), .all)
            - steps(decoder, adapter(decoder, layer: 1, [.down]), .all)
        // In the first block the norm, and what is before it, is not there.
        let first =
            steps(decoder, all, .all)
            - steps(decoder, adapter(decoder, layer: 0, [.down]), .all) + 2
        #expect(first == block - 1)
    }
}
