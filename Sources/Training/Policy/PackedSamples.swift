package import Models
package import Objectives
package import Tensors

/// Samples laid end to end for one forward pass, without padding.
package struct PackedSamples {
    /// All tokens but each sample's last.
    package let input: DecoderInput
    /// The rows whose next token is a response token, `[T]`.
    package let rows: TokenIndices
    /// The response tokens, `[T]`.
    package let targets: TokenIndices
    /// Which of the T response tokens belong to which sample.
    package let layout: ResponseLayout

    /// Packs samples that each have a prompt and a response of at least one token.
    package init(_ samples: [PolicySample]) {
        var rows: [Int32] = []
        var targets: [Int32] = []
        var responseStarts = [0]
        var sequences: [[Int32]] = []
        var start = 0
        for sample in samples {
            precondition(!sample.prompt.isEmpty && !sample.response.isEmpty)
            let first = start + sample.prompt.count - 1
            rows.append(contentsOf: Int32(first)..<Int32(first + sample.response.count))
            targets.append(contentsOf: sample.response)
            responseStarts.append(targets.count)
            sequences.append(sample.prompt + sample.response.dropLast())
            start += sample.computedTokenCount
        }
        input = DecoderInput(packing: sequences)
        self.rows = TokenIndices(rows)
        self.targets = TokenIndices(targets)
        layout = ResponseLayout(starts: responseStarts, mask: samples.responseMask)
    }
}

extension [PolicySample] {
    /// The samples' response tokens end to end, and which of them are learned from.
    package var responseLayout: ResponseLayout {
        ResponseLayout(lengths: map(\.response.count), mask: responseMask)
    }

    /// The samples' masks end to end, `[T]`; `nil` where no sample has one.
    fileprivate var responseMask: [Float]? {
        guard contains(where: { $0.mask != nil }) else { return nil }
        return flatMap { $0.mask ?? [Float](repeating: 1, count: $0.response.count) }
    }
}
