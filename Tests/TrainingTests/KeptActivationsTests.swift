import Adapters
import Models
import Objectives
import OracleFixtures
import Tensors
import Testing

@testable import Training

extension KeptActivations {
    /// All blocks of a small case, none, and some.
    static let samples: [KeptActivations] = [.all, .within(bytes: 0), .within(bytes: 300_000)]
}

@Suite("Kept activations")
struct KeptActivationsTests {
    @Test("a block keeps as many bytes as are said, and one that is computed again its input only")
    func bytes() async {
        // In a process of its own, where no other test takes memory.
        await #expect(processExitsWith: .success) {
            for model in OracleFixtures.models {
                let policy = try StepOracle(model, "all-linear-r8").policy
                let decoder = policy.decoder, tokens = 512
                let pack = PackedSamples([
                    PolicySample(prompt: Array(repeating: 3, count: tokens), response: [4])
                ])
                func held(_ kept: KeptActivations) -> Int {
                    let tape = Tape()
                    let before = MemoryPool.shared.ledger.bytesInUse
                    let hidden = decoder.hidden(
                        pack.input, adapter: policy.adapter, keeping: kept, tape)
                    precondition(hidden.node != nil)
                    return MemoryPool.shared.ledger.bytesInUse - before
                }
                _ = held(.all)
                let layers = decoder.weights.layers.indices
                let expected = layers.reduce(0) {
                    $0 + tokens * decoder.activationBytesPerToken(policy.adapter, layer: $1)
                }
                let found = held(.all) - held(.within(bytes: 0))
                // The pool rounds sizes up by an eighth at most; the first block's norm, below
                // which nothing trains, keeps nothing.
                precondition(found >= expected - 4 * tokens && found <= expected + expected / 8)
                let inputs = tokens * decoder.config.hiddenSize * 4 * (layers.count + 3)
                precondition(held(.within(bytes: 0)) <= inputs + inputs / 8)
            }
        }
    }

    @Test("as many blocks as fit keep theirs, the last ones first")
    func blocks() throws {
        let policy = try StepOracle("qwen3-tiny", "all-linear-r8").policy
        let decoder = policy.decoder
        let block = 10 * decoder.activationBytesPerToken(policy.adapter, layer: 0)
        let count = decoder.weights.layers.count
        func first(_ kept: KeptActivations) -> Int {
            decoder.firstKeptLayer(kept, adapter: policy.adapter, tokens: 10)
        }
        #expect(first(.all) == 0)
        #expect(first(.within(bytes: 0)) == count)
        #expect(first(.within(bytes: block - 1)) == count)
        #expect(first(.within(bytes: 2 * block)) == count - 2)
        #expect(first(.within(bytes: .max)) == 0)
    }

    @Test("an update's micro-batches are as small as lets all blocks keep theirs, prompt by prompt")
    func microBatches() throws {
        let policy = try StepOracle("qwen2-tiny", "all-linear-r8").policy
        let decoder = policy.decoder
        #expect(decoder.tokensAtOnce(.all, adapter: policy.adapter) == .max)
        let token = decoder.weights.layers.indices.reduce(0) {
            $0 + decoder.activationBytesPerToken(policy.adapter, layer: $1)
        }
        let block = token / decoder.weights.layers.count
        #expect(decoder.tokensAtOnce(.within(bytes: 0), adapter: policy.adapter) == .max)
        #expect(decoder.tokensAtOnce(.within(bytes: 256 * block), adapter: policy.adapter) == 256)
        #expect(
            decoder.tokensAtOnce(.within(bytes: 1000 * token), adapter: policy.adapter) == 1000)
        // Four prompts of 100 tokens with four responses each, of 50 computed tokens.
        let samples = (0..<16).map {
            PolicySample(
                prompt: Array(repeating: Int32($0 / 4), count: 100),
                response: Array(repeating: 1, count: 51))
        }
        for cut in [MicroBatchSettings.samples(16), .tokens(16384)] {
            #expect(cut.pieces(samples).count == 1)
            let halves = [Array(0..<4) + Array(8..<12), Array(4..<8) + Array(12..<16)]
            #expect(cut.pieces(samples, fitting: 600) == halves)
            let alone = cut.pieces(samples, fitting: 256)
            #expect(alone == (0..<4).map { Array(4 * $0..<4 * $0 + 4) })
        }
        #expect(MicroBatchSettings.samples(2).pieces(samples, fitting: 600).count == 8)
    }

    @Test("a loss that is defined over a micro-batch is cut as the settings ask, others finer")
    func lossesOfMicroBatches() throws {
        let policy = try StepOracle("qwen2-tiny", "all-linear-r8").policy
        let samples = (0..<4).map {
            PolicySample(
                prompt: Array(repeating: Int32($0), count: 120), response: [1, 2, 3],
                advantages: [Float](repeating: Float($0) - 1.5, count: 3))
        }
        let block = policy.decoder.activationBytesPerToken(policy.adapter, layer: 0)
        let modes: [(PolicyLossMode, Int)] = [
            (.vanilla, 2), (.klCovariance, 1), (.clipCovariance, 1),
        ]
        for (mode, count) in modes {
            var pieces = 0
            _ = try accumulatePolicyGradient(
                policy, samples,
                PolicyUpdateSettings(
                    loss: PolicyLossSettings(mode: mode), temperature: 1,
                    microBatches: .samples(4), kept: .within(bytes: 256 * block),
                    paddedResponseLength: 3)
            ) { pieces += 1 }
            #expect(pieces == count, "\(mode.name)")
        }
    }
}
