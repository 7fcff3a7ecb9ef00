extension CUDADevice {
    /// Writes the new keys and values to the slots of the plan; a negative slot writes nothing.
    ///
    /// - Parameters:
    ///   - k: `[T, K * D]`, as `v`, of the cache's type.
    func pagedCacheWrite(
        _ k: Tensor, _ v: Tensor, plan: PagedPlan, cache: PagedCache, heads: HeadLayout
    ) {
        let (T, K, D) = (k.rows, heads.keyValueHeads, heads.dimension)
        let tensors = [k, v, cache.keys, cache.values]
        precondition(tensors.allSatisfy { $0.dataType == k.dataType })
        let bytes = k.dataType == .float32 ? 4 : 2
        let isWide = tensors.allSatisfy { $0.deviceAddress % 16 == 0 } && D * bytes % 16 == 0
        let type = k.dataType == .float32 ? "f32" : "bf16"
        let threads = T * K * D / (isWide ? 16 / bytes : 1)
        launch(
            "paged_cache_write_\(isWide ? "16_bytes_" : "")\(type)", of: .pagedAttention,
            grid: ((threads + 255) / 256, 1, 1), block: 256, .long(T), .long(K), .long(D),
            .long(cache.blockSize), .indices(plan.slots), .tensor(k), .tensor(v),
            .tensor(cache.keys), .tensor(cache.values))
    }

    /// Attention of new rows to all that the cache holds of their sequences, themselves included.
    ///
    /// - Parameters:
    ///   - q: `[T, H * D]`, as `out`, of the cache's type.
    ///   - window: how many tokens back a token sees, itself included; 0 means all.
    func pagedAttention(
        _ q: Tensor, plan: PagedPlan, cache: PagedCache, heads: HeadLayout, window: Int,
        out: Tensor
    ) {
        let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
        let kernels = AttentionKernels(heads, q, cache.keys, cache.values, out)
        let tiles = plan.queryTiles(of: kernels.rows, heads: H / K)
        launch(
            "paged_attention_\(kernels.suffix)", of: .pagedAttention,
            grid: (tiles.count / 2, K, 1), block: kernels.block, sharedBytes: kernels.forwardBytes,
            .indices(tiles), .indices(plan.starts), .indices(plan.lengths), .indices(plan.tables),
            .long(plan.tableStride), .long(H), .long(K), .long(D), .long(cache.blockSize),
            .tensor(q), .tensor(cache.keys), .tensor(cache.values), .float(heads.scale),
            .long(window), .tensor(out))
        guard plan.hasSingleRows else { return }
        pagedDecode(
            q, plan: plan, cache: cache, heads: heads, window: window,
            splits: Self.decodeSplits(length: Int(plan.lengths.maximum)), out: out)
    }

    /// Blocks that the longest row of a decode step is split over, at most.
    private static let mostSplits = 32

    /// Blocks that a row with `length` tokens is split over, at most.
    static func decodeSplits(length: Int) -> Int {
        min(mostSplits, max(1, (length + 255) / 256))
    }

    /// The rows of sequences that have one new row; those of others are left alone.
    ///
    /// - Parameters:
    ///   - splits: what `decodeSplits` gives for the longest sequence, or more; results do not
    ///     depend on it. A graph that is to serve sequences of any length takes that of the longest
    ///     that the tables have room for.
    func pagedDecode(
        _ q: Tensor, plan: PagedPlan, cache: PagedCache, heads: HeadLayout, window: Int,
        splits: Int, out: Tensor
    ) {
        let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
        let kernels = AttentionKernels(heads, q, cache.keys, cache.values, out)
        let S = plan.lengths.count
        let isSplit = splits > 1
        let sums = isSplit ? Tensor(uninitialized: [S * H * splits, D], on: .cuda(self)) : nil
        let states = isSplit ? Tensor(uninitialized: [S * H * splits, 2], on: .cuda(self)) : nil
        launch(
            "paged_decode_\(kernels.suffix)", of: .pagedDecode,
            grid: (splits, K * ((H / K + 15) / 16), S), block: kernels.block,
            sharedBytes: kernels.decodeBytes, .indices(plan.starts), .indices(plan.lengths),
            .indices(plan.tables), .long(plan.tableStride), .long(H), .long(K), .long(D),
            .long(cache.blockSize), .tensor(q), .tensor(cache.keys), .tensor(cache.values),
            .float(heads.scale), .long(window), .optional(sums), .optional(states), .tensor(out))
        guard isSplit else { return }
        let type = q.dataType == .float32 ? "f32" : "bf16"
        launch(
            "paged_decode_join_\(type)", of: .pagedDecode, grid: (S, H, 1), block: 128,
            .indices(plan.starts), .indices(plan.lengths), .long(H), .long(D), .long(splits),
            .long(window), .optional(sums), .optional(states), .tensor(out))
    }
}

extension PagedPlan {
    /// Whether any sequence has exactly one new row.
    fileprivate var hasSingleRows: Bool {
        isDecode || (0..<lengths.count).contains { starts[$0 + 1] - starts[$0] == 1 }
    }

    /// `AttentionTiles.queryRows` of the sequences with several new rows, made once.
    fileprivate func queryTiles(of rows: Int, heads: Int) -> TokenIndices {
        list("\(rows) query rows of \(heads) heads") {
            if isDecode { return [] }
            return AttentionTiles.queryRows(
                starts: starts.toArray(), lengths: lengths.toArray(), rows: rows, heads: heads)
        }
    }
}
