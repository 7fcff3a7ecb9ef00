import Models
import Tensors
import Testing

@testable import Training

@Suite("Micro-batches")
struct MicroBatchesTests {
    /// Samples of `question`, each with so many response tokens.
    private static func samples(_ question: Int32, prompt: Int, responses: [Int]) -> [PolicySample]
    {
        responses.map {
            PolicySample(
                prompt: Array(repeating: question, count: prompt),
                response: Array(repeating: 7, count: $0))
        }
    }

    /// Tokens that the samples of a piece compute together.
    private static func tokens(_ samples: [PolicySample], _ piece: [Int]) -> Int {
        PackedSamples(piece.map { samples[$0] }).input.tokens.count
    }

    @Test("pieces hold every sample once and stay within the budget of tokens")
    func pieces() {
        let counts = [9, 30, 1, 4, 4, 17, 2, 40, 8]
        let alone = counts.enumerated().flatMap {
            Self.samples(Int32($0), prompt: 1, responses: [$1])
        }
        let shared =
            Self.samples(1, prompt: 12, responses: [1, 1, 9, 4])
            + Self.samples(2, prompt: 3, responses: [20, 30])
            + Self.samples(1, prompt: 12, responses: [2, 1])
            + Self.samples(3, prompt: 40, responses: [1])
        for samples in [alone, shared] {
            for budget in [1, 10, 13, 40, 41, 200] {
                let pieces = MicroBatchSettings.tokens(budget).pieces(samples)
                #expect(pieces.flatMap(\.self).sorted() == Array(samples.indices))
                for piece in pieces {
                    #expect(
                        Self.tokens(samples, piece) <= budget || piece.count == 1, "\(budget)")
                }
            }
        }
        let pairs = MicroBatchSettings.samples(2).pieces(alone)
        #expect(pairs == [[0, 1], [2, 3], [4, 5], [6, 7], [8]])
    }

    @Test("samples of one prompt stay together where they fit, and are shared out evenly elsewhere")
    func families() {
        let samples =
            Self.samples(1, prompt: 50, responses: [65, 60, 65, 62])
            + Self.samples(2, prompt: 50, responses: [1, 9, 30, 3])
        #expect(MicroBatchSettings.tokens(400).pieces(samples) == [Array(0..<8)])
        #expect(MicroBatchSettings.tokens(300).pieces(samples) == [[0, 1, 2, 3], [4, 5, 6, 7]])
        // 50 + 248 do not fit into 200: two pieces of two responses each.
        let halves = MicroBatchSettings.tokens(200).pieces(samples)
        #expect(
            halves == [[0, 1], [2, 3], [4, 5, 6, 7]] || halves == [[0, 3], [1, 2], [4, 5, 6, 7]])
    }
}
