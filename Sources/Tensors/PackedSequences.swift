import CKernels

/// Sequences whose rows lie end to end, without padding; some may begin with the rows of another.
///
/// Example: the prompt of 3 tokens that goes on in two ways, by 2 and by 1 token, has 6 rows
/// instead of 9: one sequence of 5, and one of 1 row that sees the first 3 rows before itself.
package struct PackedSequences {
    private(set) var sequences: [ck_packed_sequence] = []
    /// Rows of all sequences together.
    package private(set) var rowCount = 0
    /// Lists that kernels of a device read, shared by all copies of these sequences.
    private var lists = IndexLists()

    package init() {}

    /// Lays sequences that begin alike behind the others: the rows of what they share, then those
    /// of each continuation.
    ///
    /// - Parameters:
    ///   - prefix: tokens that they share, at least one.
    ///   - continuations: how many tokens each goes on by; none for the prefix alone.
    package mutating func append(prefix: Int, continuations: [Int]) {
        precondition(prefix > 0 && continuations.allSatisfy { $0 >= 0 })
        let owner = rowCount
        append(
            ck_packed_sequence(
                start: Int32(owner), count: Int32(prefix + (continuations.first ?? 0)),
                prefix_start: 0, prefix_count: 0))
        for count in continuations.dropFirst() where count > 0 {
            append(
                ck_packed_sequence(
                    start: Int32(rowCount), count: Int32(count), prefix_start: Int32(owner),
                    prefix_count: Int32(prefix)))
        }
    }

    private mutating func append(_ sequence: ck_packed_sequence) {
        sequences.append(sequence)
        rowCount += Int(sequence.count)
        lists = IndexLists()
    }

    /// `[S, 4]`: start, count, prefix_start and prefix_count of each sequence.
    var table: TokenIndices {
        list("table") {
            sequences.flatMap { [$0.start, $0.count, $0.prefix_start, $0.prefix_count] }
        }
    }

    /// A list that depends on the sequences and `name` alone, made once for all copies.
    func list(_ name: String, _ values: () -> [Int32]) -> TokenIndices {
        lists.list(name, values)
    }
}
