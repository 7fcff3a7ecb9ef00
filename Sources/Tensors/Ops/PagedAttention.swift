import CKernels

/// Keys and values of one layer for all sequences of a rollout, in blocks that the sequences'
/// tables name (PagedAttention, arXiv 2309.06180).
package struct PagedCache {
    /// `[blocks, K, blockSize, D]` each.
    let keys: Tensor
    let values: Tensor
    let blockSize: Int

    /// Room on `device` for `blocks` blocks of `blockSize` tokens each, of the type that keys and
    /// values come in; its content is undefined.
    package init(
        blocks: Int, blockSize: Int, heads: HeadLayout, dataType: DataType = .float32,
        on device: Device = .current
    ) {
        let shape = [blocks, heads.keyValueHeads, blockSize, heads.dimension]
        (keys, values) = MemoryPurpose.$current.withValue(.keyValueCache) {
            (
                Tensor(uninitialized: shape, dataType: dataType, on: device),
                Tensor(uninitialized: shape, dataType: dataType, on: device)
            )
        }
        self.blockSize = blockSize
    }
}

/// Where the new tokens of a batch of sequences lie in the cache.
package struct PagedPlan {
    /// `[S + 1]`; sequence s owns the rows `starts[s] ..< starts[s + 1]` of the batch.
    let starts: TokenIndices
    /// `[S]`; tokens of each sequence in the cache, the new ones included.
    let lengths: TokenIndices
    /// `[S, stride]`; the blocks of each sequence in order.
    let tables: TokenIndices
    let tableStride: Int
    /// `[T]`; `block * blockSize + offset` of each new token.
    let slots: TokenIndices
    /// Whether it is known that no sequence has several rows, whatever the lists hold.
    let isDecode: Bool
    private let lists = IndexLists()

    package init(
        starts: [Int32], lengths: [Int32], tables: [Int32], tableStride: Int, slots: [Int32]
    ) {
        precondition(lengths.count == starts.count - 1)
        precondition(tables.count == lengths.count * tableStride)
        self.starts = TokenIndices(starts)
        self.lengths = TokenIndices(lengths)
        self.tables = TokenIndices(tables)
        self.tableStride = tableStride
        self.slots = TokenIndices(slots)
        isDecode = false
    }

    /// The plan of decode steps on a device, whose lists change from step to step. A sequence has one
    /// row, or none where its two starts are equal; a row whose slot is negative is not written to
    /// the cache.
    package init(
        decoding starts: TokenIndices, lengths: TokenIndices, tables: TokenIndices,
        tableStride: Int, slots: TokenIndices
    ) {
        precondition(lengths.count == starts.count - 1)
        precondition(tables.count == lengths.count * tableStride)
        self.starts = starts
        self.lengths = lengths
        self.tables = tables
        self.tableStride = tableStride
        self.slots = slots
        isDecode = true
    }

    /// A list that depends on the plan and `name` alone, made once for all layers.
    func list(_ name: String, _ values: () -> [Int32]) -> TokenIndices {
        lists.list(name, values)
    }
}

/// Writes the new keys and values to the cache, then attends from the new tokens to all cached
/// ones: prefill, chunked prefill and decode alike. Each row has the same bits as `attention`
/// gives it in one packed pass.
///
/// - Parameters:
///   - q: `[T, H * D]`; `k`, `v`: `[T, K * D]`; the new tokens only.
///   - window: how many tokens back a token sees, itself included; 0 means all.
/// - Returns: `[T, H * D]`.
package func pagedAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: PagedPlan, cache: PagedCache, heads: HeadLayout,
    window: Int
) -> Tensor {
    let (H, K, D) = (heads.queryHeads, heads.keyValueHeads, heads.dimension)
    let T = q.rows
    precondition(plan.slots.count == T && q.columns == H * D && k.columns == K * D)
    let out = Tensor(uninitialized: [T, H * D], dataType: q.dataType, on: q.device)
    switch q.device {
    case .cpu:
        unsafe ck_paged_cache_write(
            T, K, D, cache.blockSize, plan.slots.pointer, k.floats, v.floats, cache.keys.floats,
            cache.values.floats)
        unsafe ck_paged_attention(
            plan.lengths.count, plan.starts.pointer, plan.lengths.pointer, plan.tables.pointer,
            plan.tableStride, H, K, D, cache.blockSize, q.floats, cache.keys.floats,
            cache.values.floats, heads.scale, window, out.floats)
    case .cuda(let cuda):
        cuda.pagedCacheWrite(k, v, plan: plan, cache: cache, heads: heads)
        cuda.pagedAttention(q, plan: plan, cache: cache, heads: heads, window: window, out: out)
    }
    return out
}
