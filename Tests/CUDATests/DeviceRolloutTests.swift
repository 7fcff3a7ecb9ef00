import Models
import OracleFixtures
import Tensors
import Testing

@Suite("Rollouts on a device")
struct DeviceRolloutTests {
    private static let sequences: [[Int32]] = [[5, 17, 4, 99, 23, 7, 8], [3, 9, 12], [44]]
    private static let blockSize = 4

    /// Hidden states of the sequences by the paged cache: prefill of all but the last tokens, then
    /// one step with those.
    private func paged(_ model: DeviceModel) -> [[Float]] {
        let cache = KVCache(model.decoder, blocks: 8, blockSize: Self.blockSize)
        var blocks: [[Int32]] = []
        for sequence in Self.sequences {
            let start = Int32(blocks.joined().count)
            let count = Int32((sequence.count + Self.blockSize - 1) / Self.blockSize)
            // The last blocks first, so that no table is the order of memory.
            blocks.append(Array((start..<start + count).reversed()))
        }
        func step(_ ranges: [Range<Int>]) -> [Float] {
            var (tokens, positions, slots): ([Int32], [Int32], [Int32]) = ([], [], [])
            var (starts, tables): ([Int32], [Int32]) = ([0], [])
            let stride = blocks.map(\.count).max() ?? 1
            for (index, range) in ranges.enumerated() {
                for place in range {
                    tokens.append(Self.sequences[index][place])
                    positions.append(Int32(place))
                    let block = blocks[index][place / Self.blockSize]
                    slots.append(block * Int32(Self.blockSize) + Int32(place % Self.blockSize))
                }
                starts.append(Int32(tokens.count))
                tables += blocks[index]
                tables += repeatElement(0, count: stride - blocks[index].count)
            }
            let plan = PagedPlan(
                starts: starts, lengths: ranges.map { Int32($0.upperBound) }, tables: tables,
                tableStride: stride, slots: slots)
            let input = DecoderInput(
                tokens: tokens, positions: positions, attention: .paged(plan, cache))
            return model.decoder.hidden(input, adapter: model.adapter).toArray()
        }
        let prefill = step(Self.sequences.map { 0..<max(1, $0.count - 1) })
        let last = step(Self.sequences.map { $0.count - 1..<$0.count })
        return [prefill, last]
    }

    @Test("attends to a paged cache as to packed rows", arguments: OracleFixtures.models)
    func pagedAttention(model: String) throws {
        try withEmulatedDevice { device in
            let (host, moved) = (
                try DeviceModel(model, on: .cpu), try DeviceModel(model, on: device)
            )
            let (expected, found) = (paged(host), paged(moved))
            for (expected, found) in zip(expected, found) {
                #expect(relativeDistance(found, expected) <= 1e-5)
            }
            let packed = moved.decoder.hidden(
                DecoderInput(packing: Self.sequences), adapter: moved.adapter
            ).toArray()
            let D = moved.decoder.config.hiddenSize
            let lastOfFirst = (Self.sequences[0].count - 1) * D
            #expect(
                relativeDistance(found[1][..<D], packed[lastOfFirst..<lastOfFirst + D]) <= 1e-5)
        }
    }

    @Test("draws the tokens that the host draws")
    func sampling() throws {
        try withEmulatedDevice { device in
            var random = SplitMix64(seed: 3)
            let (S, V) = (5, 300)
            let logits = (0..<S * V).map { _ in Float.random(in: -4...4, using: &random) }
            let choices = [
                TokenChoice(temperature: 0, topK: 0, topP: 1, uniform: 0.3),
                TokenChoice(temperature: 1, topK: 0, topP: 1, uniform: 0.7),
                TokenChoice(temperature: 0.7, topK: 20, topP: 1, uniform: 0.1),
                TokenChoice(temperature: 1.3, topK: 0, topP: 0.8, uniform: 0.9),
                TokenChoice(temperature: 0.9, topK: 50, topP: 0.5, uniform: 0.5),
            ]
            let expected = sample(Tensor(logits, shape: [S, V], on: .cpu), choices)
            let found = sample(Tensor(logits, shape: [S, V], on: device), choices)
            #expect(found.tokens == expected.tokens)
            #expect(
                largestDifference(found.logProbabilities, expected.logProbabilities) <= 1e-5)
        }
    }

    @Test("serves several adapters in one batch as each alone")
    func severalAdapters() throws {
        try withEmulatedDevice { device in
            let model = try DeviceModel("llama3-tiny", on: device)
            let input = DecoderInput(packing: [[5, 17, 4, 99], [3, 9, 12]])
            let mixed = model.decoder.hidden(
                input, adapters: [AdapterRun(model.adapter, rows: 4..<7)]
            ).toArray()
            let D = model.decoder.config.hiddenSize
            let base = model.decoder.hidden(input).toArray()
            let adapted = model.decoder.hidden(input, adapter: model.adapter).toArray()
            #expect(relativeDistance(mixed[..<(4 * D)], base[..<(4 * D)]) <= 1e-6)
            #expect(relativeDistance(mixed[(4 * D)...], adapted[(4 * D)...]) <= 1e-6)
            #expect(relativeDistance(adapted, base) > 0.01)
        }
    }
}
