/// Which of the attention kernels serve a call: those on the tensor cores where the type, the heads'
/// dimension and the tensors' places in memory allow it, else those of plain loops.
struct AttentionKernels {
    /// What their names end in.
    let suffix: String
    /// Query rows of a block, forward.
    let rows: Int
    /// Rows, or keys, of a block in the backward pass.
    let backwardRows: Int
    /// Dynamic shared memory of a block.
    let forwardBytes: Int
    let backwardBytes: Int
    let decodeBytes: Int
    /// Threads of a block.
    let block = 128

    init(_ heads: HeadLayout, _ tensors: Tensor...) {
        let (D, type) = (heads.dimension, tensors[0].dataType)
        precondition(D <= 256 && heads.queryHeads % heads.keyValueHeads == 0)
        precondition(tensors.allSatisfy { $0.dataType == type })
        let areAligned = tensors.allSatisfy { $0.deviceAddress % 16 == 0 }
        guard type == .bfloat16, D == 64 || D == 128, areAligned else {
            suffix = type == .float32 ? "f32" : "bf16"
            (rows, backwardRows) = (16, 16)
            // Tiles [16, D + 1] of floats, scores [16, 17], three numbers a row.
            forwardBytes = 4 * (4 * 16 * (D + 1) + 16 * 17 + 3 * 16)
            backwardBytes = 4 * (6 * 16 * (D + 1) + 2 * 16 * 17)
            decodeBytes = forwardBytes
            return
        }
        suffix = "bf16_d\(D)"
        (rows, backwardRows) = (D == 64 ? 128 : 64, 64)
        // The resident tiles, then two stages of two tiles [64, D].
        forwardBytes = 2 * D * (rows + 4 * 64)
        backwardBytes = 2 * D * (2 * 64 + 4 * 64)
        let stages = D == 64 ? 4 : 2
        decodeBytes = 2 * D * (16 + stages * 2 * 64)
    }
}

extension CUDADevice {
    /// Attention over packed sequences.
    ///
    /// - Parameters:
    ///   - q: `[T, H * D]`, as `out`.
    ///   - k: `[T, K * D]`, as `v`; all of one type.
    ///   - window: how many tokens back a token sees, itself included; 0 means all.
    ///   - lse: `[T, H]` f32 receives the log of the softmax's denominator.
    func attentionForward(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, packed: PackedSequences, heads: HeadLayout,
        window: Int, out: Tensor, lse: Tensor?
    ) {
        guard q.rows > 0 else { return }
        let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
        let kernels = AttentionKernels(heads, q, k, v, out)
        let tiles = packed.queryTiles(of: kernels.rows, heads: H / K)
        launch(
            "attention_forward_\(kernels.suffix)", of: .attention, grid: (tiles.count / 2, K, 1),
            block: kernels.block, sharedBytes: kernels.forwardBytes, .indices(tiles),
            .indices(packed.table), .long(H), .long(K), .long(D), .tensor(q), .tensor(k),
            .tensor(v), .float(heads.scale), .long(window), .tensor(out), .optional(lse))
    }

    /// The gradients `dq`, `dk` and `dv`, which are overwritten; all of q's type but `lse`.
    func attentionBackward(
        dout: Tensor, _ q: Tensor, _ k: Tensor, _ v: Tensor, out: Tensor, lse: Tensor,
        packed: PackedSequences, heads: HeadLayout, window: Int, dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        guard q.rows > 0 else { return }
        let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
        let kernels = AttentionKernels(heads, dout, q, k, v, out, dq, dk, dv)
        let type = q.dataType == .float32 ? "f32" : "bf16"
        let delta = Tensor(uninitialized: [q.rows, H], on: .cuda(self))
        launch(
            "attention_delta_\(type)", of: .attentionBackward,
            grid: ((q.rows * H + 7) / 8, 1, 1), block: 256, .long(q.rows * H), .long(D),
            .tensor(dout), .tensor(out), .tensor(delta))
        let tiles = packed.queryTiles(of: kernels.backwardRows, heads: H / K)
        launch(
            "attention_query_gradient_\(kernels.suffix)", of: .attentionBackward,
            grid: (tiles.count / 2, K, 1), block: kernels.block,
            sharedBytes: kernels.backwardBytes, .indices(tiles), .indices(packed.table), .long(H),
            .long(K), .long(D), .tensor(dout), .tensor(q), .tensor(k), .tensor(v), .tensor(lse),
            .tensor(delta), .float(heads.scale), .long(window), .tensor(dq))
        let keyTiles = packed.keyTiles(of: kernels.backwardRows, heads: H / K)
        let partCount = keyTiles.parts * K * 2 * kernels.backwardRows * D
        let parts = partCount == 0 ? nil : Tensor(uninitialized: [partCount], on: .cuda(self))
        launch(
            "attention_key_gradient_\(kernels.suffix)", of: .attentionBackward,
            grid: (keyTiles.tiles.count / 5, K, 1), block: kernels.block,
            sharedBytes: kernels.backwardBytes, .indices(keyTiles.tiles), .indices(packed.table),
            .long(H), .long(K), .long(D), .tensor(dout), .tensor(q), .tensor(k), .tensor(v),
            .tensor(lse), .tensor(delta), .float(heads.scale), .long(window), .optional(parts),
            .tensor(dk), .tensor(dv))
        guard let parts else { return }
        launch(
            "attention_key_gradient_join_\(type)", of: .attentionBackward,
            grid: (keyTiles.joined.count / 4, K, 2), block: 256, .indices(keyTiles.joined),
            .indices(packed.table), .long(K), .long(D), .long(kernels.backwardRows),
            .tensor(parts), .tensor(dk), .tensor(dv))
    }
}

extension PackedSequences {
    /// `AttentionTiles.queryRows`, made once.
    fileprivate func queryTiles(of rows: Int, heads: Int) -> TokenIndices {
        list("\(rows) query rows of \(heads) heads") {
            AttentionTiles.queryRows(of: sequences, rows: rows, heads: heads)
        }
    }

    /// `AttentionTiles.keys`, made once, and how many parts there are to be joined.
    fileprivate func keyTiles(
        of keys: Int, heads: Int
    ) -> (tiles: TokenIndices, joined: TokenIndices, parts: Int) {
        func made() -> (tiles: [Int32], joined: [Int32]) {
            AttentionTiles.keys(of: sequences, keys: keys, heads: heads)
        }
        let tiles = list("\(keys) keys of \(heads) heads") { made().tiles }
        let joined = list("\(keys) joined keys of \(heads) heads") { made().joined }
        return (tiles, joined, joined.count == 0 ? 0 : Int(joined[joined.count - 1]))
    }
}
