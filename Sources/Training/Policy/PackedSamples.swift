package import Models
package import Objectives
package import Tensors

/// Samples laid end to end for one forward pass, without padding; a prompt that several share is
/// there once.
///
/// Example: the prompt `[5, 9]` answered by `[7, 2]` and by `[4, 1, 3]` is the rows
/// `5 9 7 4 1`: the row of 9 predicts both 7 and 4.
package struct PackedSamples {
    /// Of each prompt, its tokens and then all but the last of each response to it.
    package let input: DecoderInput
    /// The rows whose next token is a response token, `[T]`.
    package let rows: TokenIndices
    /// The response tokens, `[T]`.
    package let targets: TokenIndices
    /// Which of the T response tokens belong to which sample.
    package let layout: ResponseLayout

    /// Packs samples that each have a prompt and a response of at least one token.
    package init(_ samples: [PolicySample]) {
        precondition(samples.allSatisfy { !$0.prompt.isEmpty && !$0.response.isEmpty })
        var rows = [[Int32]](repeating: [], count: samples.count)
        var families: [SequenceFamily] = []
        var next: Int32 = 0
        for siblings in samples.siblings {
            let prompt = samples[siblings[0]].prompt
            let continuations = siblings.map { Array(samples[$0].response.dropLast()) }
            families.append(SequenceFamily(prefix: prompt, continuations: continuations))
            next += Int32(prompt.count)
            let last = next - 1
            for (index, continuation) in zip(siblings, continuations) {
                rows[index] = [last] + (next..<next + Int32(continuation.count))
                next += Int32(continuation.count)
            }
        }
        input = DecoderInput(packing: families)
        self.rows = TokenIndices(Array(rows.joined()))
        targets = TokenIndices(samples.flatMap(\.response))
        layout = samples.responseLayout
    }
}

extension [PolicySample] {
    /// The samples' response tokens end to end, and which of them are learned from.
    package var responseLayout: ResponseLayout {
        ResponseLayout(lengths: map(\.response.count), mask: responseMask)
    }

    /// The indices of the samples with equal prompts, prompt by prompt as these come first.
    package var siblings: [[Int]] {
        var families: [[Int]] = []
        var places: [[Int32]: Int] = [:]
        for (index, sample) in enumerated() {
            if let place = places[sample.prompt] {
                families[place].append(index)
            } else {
                places[sample.prompt] = families.count
                families.append([index])
            }
        }
        return families
    }

    /// The samples' masks end to end, `[T]`; `nil` where no sample has one.
    fileprivate var responseMask: [Float]? {
        guard contains(where: { $0.mask != nil }) else { return nil }
        return flatMap { $0.mask ?? [Float](repeating: 1, count: $0.response.count) }
    }
}
