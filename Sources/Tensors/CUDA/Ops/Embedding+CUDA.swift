extension CUDADevice {
    /// `y[t, :] = table[tokens[t], :]`.
    ///
    /// - Parameters:
    ///   - tokens: `[T]`, each below V.
    ///   - table: `[V, D]`, f32, bf16 or quantised.
    ///   - y: `[T, D]`, f32, or bf16 where the table is not f32.
    func embeddingForward(_ tokens: TokenIndices, _ table: Weight, y: Tensor) {
        let D = y.columns
        precondition(table.columns == D && y.count == tokens.count * D)
        let grid = (tokens.count, 1, 1)
        let suffix = y.dataType.kernelSuffix
        switch table {
        case .dense(let rows):
            launch(
                "embedding_forward_\(rows.dataType.kernelSuffix)_\(suffix)", of: .embedding,
                grid: grid, block: Self.rowThreads(D),
                .long(D), .indices(tokens), .tensor(rows), .tensor(y))
        case .quantized(let codes):
            launch(
                "embedding_forward_\(codes.kind.rawValue)_\(suffix)", of: .embedding, grid: grid,
                block: Self.rowThreads(D),
                .long(D), .indices(tokens), .address(codes.wordsAddress),
                .address(codes.scalesAddress), .tensor(y))
        }
    }

    /// `dtable[row, :] += ` the sum of `dy[t, :]` over the places t that chose the row, in their
    /// order, in f32.
    ///
    /// - Parameters:
    ///   - dy: `[T, D]`.
    ///   - dtable: `[V, D]`, f32 or of dy's type.
    func embeddingBackward(dy: Tensor, _ occurrences: TokenOccurrences, dtable: Tensor) {
        let D = dy.columns
        precondition(dtable.columns == D && occurrences.places.count == dy.rows)
        launch(
            "embedding_backward_\(dy.dataType.kernelSuffix)_\(dtable.dataType.kernelSuffix)",
            of: .embedding, grid: (occurrences.rows.count, 1, 1), block: Self.rowThreads(D),
            .long(D), .indices(occurrences.rows), .indices(occurrences.starts),
            .indices(occurrences.places), .tensor(dy), .tensor(dtable))
    }

    /// Threads of the block that moves a row of so many elements, four a thread.
    private static func rowThreads(_ D: Int) -> Int { min(256, (D + 127) / 128 * 32) }
}
