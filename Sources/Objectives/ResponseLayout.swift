/// Response tokens of S sequences laid end to end, without padding.
package struct ResponseLayout: Sendable {
    /// First token of each sequence and, last, the number of tokens: `[S + 1]`, from 0, never falling.
    package let starts: [Int]
    /// 1 for a token that is learned from, 0 for one that is not (a tool's output): `[T]`; nil is all 1.
    package let mask: [Float]?
    /// Tokens with mask 1 in each sequence, `[S]`.
    let unmaskedCounts: [Int]

    /// A layout by the first token of each sequence.
    ///
    /// - Parameters:
    ///   - starts: `[S + 1]`, beginning with 0, never falling; the last is the number of tokens.
    ///   - mask: `[T]` of 0 and 1, or nil when every token counts.
    package init(starts: [Int], mask: [Float]? = nil) {
        precondition(starts.first == 0, "a layout begins at token 0")
        precondition(zip(starts, starts.dropFirst()).allSatisfy(<=), "starts never fall")
        let tokenCount = starts[starts.count - 1]
        precondition(mask == nil || mask?.count == tokenCount, "one mask value a token")
        precondition(mask?.allSatisfy { $0 == 0 || $0 == 1 } ?? true, "a mask holds 0 and 1")
        self.starts = starts
        self.mask = mask
        unmaskedCounts = (1..<starts.count).map { sequence in
            let tokens = starts[sequence - 1]..<starts[sequence]
            return mask.map { $0[tokens].count { $0 != 0 } } ?? tokens.count
        }
    }

    /// A layout by the length of each response, `[S]`.
    package init(lengths: [Int], mask: [Float]? = nil) {
        var starts = [0]
        for length in lengths { starts.append(starts[starts.count - 1] + length) }
        self.init(starts: starts, mask: mask)
    }

    /// T, all tokens, masked or not.
    package var tokenCount: Int { starts[starts.count - 1] }

    /// S, all sequences, empty or not.
    package var sequenceCount: Int { starts.count - 1 }

    /// Tokens with mask 1.
    package var unmaskedTokenCount: Int { unmaskedCounts.reduce(0, +) }

    /// Sequences with at least one token of mask 1.
    package var nonEmptySequenceCount: Int { unmaskedCounts.count { $0 > 0 } }

    /// The tokens of one sequence.
    package func tokens(of sequence: Int) -> Range<Int> {
        starts[sequence]..<starts[sequence + 1]
    }

    /// Places of the tokens with mask 1.
    package var unmaskedTokens: [Int] {
        (0..<tokenCount).filter(isUnmasked)
    }

    /// Whether a token is learned from.
    package func isUnmasked(_ token: Int) -> Bool {
        mask.map { $0[token] != 0 } ?? true
    }
}

/// Counts over the whole mini-batch: all its micro-batches, on all ranks.
///
/// Losses divide by these and not by the counts of what they see, so that the contributions of
/// micro-batches simply add up, however the mini-batch was split.
package struct GlobalCounts: Sendable, Equatable {
    /// Tokens with mask 1.
    package var tokens: Double
    /// Sequences with at least one token of mask 1.
    package var sequences: Double
    /// The length responses are padded to in verl (`data.max_response_length`), in tokens.
    ///
    /// Needed by `seq-mean-token-sum-norm` only, when no `loss_scale_factor` is set.
    package var paddedResponseLength: Int?

    /// Counts as known to the caller.
    package init(tokens: Double, sequences: Double, paddedResponseLength: Int? = nil) {
        self.tokens = tokens
        self.sequences = sequences
        self.paddedResponseLength = paddedResponseLength
    }

    /// The counts of one layout; those of a mini-batch are the sum over its layouts.
    package init(_ layout: ResponseLayout, paddedResponseLength: Int? = nil) {
        tokens = Double(layout.unmaskedTokenCount)
        sequences = Double(layout.nonEmptySequenceCount)
        self.paddedResponseLength = paddedResponseLength
    }

    /// Adds another part of the same mini-batch.
    package static func += (left: inout GlobalCounts, right: GlobalCounts) {
        left.tokens += right.tokens
        left.sequences += right.sequences
        left.paddedResponseLength = left.paddedResponseLength ?? right.paddedResponseLength
    }
}
