// Attention of a tile of query rows to all keys that they see, packed or paged: one text for
// training, prefill and, but for how keys are dealt out, decode.
//
// On the tensor cores (FlashAttention-2, arXiv 2307.08691): a block of 4 warps has 64 M rows, warp
// w the rows 16 M w ..< 16 M (w + 1), so that a row's scores, weights and sums never leave its
// warp's registers. Shared memory: the tile of queries, then two stages of a tile of keys and one
// of values, [64, D] each: (64 M + 256) D * 2 bytes, 48 KiB for D = 64 (M = 2) and 80 KiB for
// D = 128 (M = 1). While one stage is used, the next is on its way. Each key and value byte that
// comes from global memory serves 64 M rows: 64 M multiply-adds a byte; each that comes from shared
// memory serves 16 M. Registers a thread: D M / 2 for the sums, D M / 4 for the queries, 32 M for
// the scores.
//
// Races: a stage is written (by asynchronous copies) after the barrier that every warp reaches when
// it is done with it, and read after the next barrier, which each thread reaches with its own
// copies done. The tile of queries is read once, by each warp its own rows, into registers; after
// the last use it takes the warp's own results on their way out.
#pragma once

// A tile of query rows: rows row ..< end of a sequence's rows of one kv head. Row 0's token has
// the position `first_position` in the sequence.
struct RowRange {
    QueryRows rows;
    int row, end, first_position;

    __device__ __forceinline__ int position(int r) const {
        return r < end ? first_position + rows.token(r) : LOWEST;
    }
};

// MARK: Tensor cores

template <int D, int M, typename Keys>
__device__ __forceinline__ void attend_rows(const RowRange &range, const Keys &source,
                                            const bf16 *q, const bf16 *k, const bf16 *v,
                                            float scale, int reach, bf16 *out, float *lse,
                                            const QueryRows &lse_rows) {
    enum { ROWS = 64 * M, TILE = TILE_KEYS * D };
    DYNAMIC_SHARED(bf16, queries);
    bf16 *stages = queries + ROWS * D;
    int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16 * M;
    int lowest = range.position(range.row);
    int last = range.position(min(range.row + ROWS, range.end) - 1);
    int key = first_tile(lowest, reach, TILE_KEYS), end = last + 1;

    copy_tile<D, ROWS, TILE_THREADS>(queries, q, range.rows, range.row, range.end);
    copy_tile<D, TILE_KEYS, TILE_THREADS>(stages, k, source, key, end);
    copy_tile<D, TILE_KEYS, TILE_THREADS>(stages + TILE, v, source, key, end);
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();

    SoftmaxRows<D> states[M];
    u32 lefts[M][D / 16][4];
    int positions[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
        states[m].clear();
        int row = warp_row + 16 * m;
        positions[m][0] = range.position(range.row + row + lane / 4);
        positions[m][1] = range.position(range.row + row + lane / 4 + 8);
#pragma unroll
        for (int c = 0; c < D / 16; c++) load_left<D>(lefts[m][c], queries, row, 16 * c);
    }

    for (int stage = 0; key < end; key += TILE_KEYS, stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads();
        if (key + TILE_KEYS < end) {
            bf16 *next = stages + (stage ^ 1) * 2 * TILE;
            copy_tile<D, TILE_KEYS, TILE_THREADS>(next, k, source, key + TILE_KEYS, end);
            copy_tile<D, TILE_KEYS, TILE_THREADS>(next + TILE, v, source, key + TILE_KEYS, end);
        }
        copy_async_commit();
        const bf16 *keys = stages + stage * 2 * TILE, *values = keys + TILE;

        float scores[M][TILE_KEYS / 8][4];
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int n = 0; n < TILE_KEYS / 8; n++)
                scores[m][n][0] = scores[m][n][1] = scores[m][n][2] = scores[m][n][3] = 0;
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
#pragma unroll
            for (int n = 0; n < TILE_KEYS / 16; n++) {
                u32 b[4];
                load_right<D>(b, keys, 16 * n, 16 * c);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    mma_16x8x16(scores[m][2 * n], lefts[m][c], b);
                    mma_16x8x16(scores[m][2 * n + 1], lefts[m][c], b + 2);
                }
            }
        }
        int all_seen = key + TILE_KEYS - 1 <= lowest && last - key < reach;
#pragma unroll
        for (int m = 0; m < M; m++) {
            if (!all_seen) hide_keys(scores[m], key, positions[m], reach);
            states[m].weigh(scores[m], scale * LOG2E);
        }
#pragma unroll
        for (int i = 0; i < TILE_KEYS / 16; i++) {
            u32 a[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) as_left(a[m], scores[m][2 * i], scores[m][2 * i + 1]);
#pragma unroll
            for (int n = 0; n < D / 16; n++) {
                u32 b[4];
                load_right_transposed<D>(b, values, 16 * i, 16 * n);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    mma_16x8x16(states[m].out[2 * n], a[m], b);
                    mma_16x8x16(states[m].out[2 * n + 1], a[m], b + 2);
                }
            }
        }
    }

#pragma unroll
    for (int m = 0; m < M; m++) {
        SoftmaxRows<D> &state = states[m];
        state.finish();
        int row = warp_row + 16 * m;
        float factors[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            factors[half] = 1 / state.sum[half];
            int r = range.row + row + lane / 4 + 8 * half;
            if (lse != nullptr && lane % 4 == 0 && r < range.end)
                lse[lse_rows.offset(r)] = state.maximum[half] * LN2 + logf(state.sum[half]);
        }
        store_rows<D>(out, range.rows, range.row + row, range.end, state.out, factors, queries,
                      row);
    }
}

// MARK: Plain loops, for any type and D <= 256

enum {
    PLAIN_ROWS = 16, // rows of a block
    PLAIN_KEYS = 16, // keys of a tile
    PLAIN_THREADS = 128,
    PLAIN_PITCH = PLAIN_KEYS + 1 // of a matrix of scores in shared memory
};

// Rows of shared memory are D + 1 floats apart, so that one column of 32 rows lies in 32 banks.
__device__ __forceinline__ int plain_floats(long D) { return PLAIN_ROWS * ((int)D + 1); }

// Rows first ..< first + 16 of `base` as floats; zeros from `end` on.
template <typename A, typename Rows>
__device__ __forceinline__ void load_plain(float *tile, const A *base, const Rows &rows, int first,
                                           int end, int D) {
    for (int i = threadIdx.x; i < PLAIN_ROWS * D; i += PLAIN_THREADS) {
        int r = i / D, d = i % D;
        tile[r * (D + 1) + d] =
            first + r < end ? to_float(base[rows.offset(first + r) + d]) : 0;
    }
}

// What a block of plain loops holds in shared memory: 4 tiles [16, D + 1], scores [16, 17], and
// what each row has so far. At most 68 KiB.
struct PlainRows {
    float *queries, *keys, *values, *out, *scores, *maximum, *sums, *factors;

    __device__ __forceinline__ PlainRows(float *shared, long D) {
        queries = shared;
        keys = queries + plain_floats(D);
        values = keys + plain_floats(D);
        out = values + plain_floats(D);
        scores = out + plain_floats(D);
        maximum = scores + PLAIN_ROWS * PLAIN_PITCH;
        sums = maximum + PLAIN_ROWS;
        factors = sums + PLAIN_ROWS;
    }

    // The thread's own row meets a tile of keys: scores become weights, as in SoftmaxRows.
    __device__ __forceinline__ void weigh(int r) const {
        float *row = scores + r * PLAIN_PITCH, most = maximum[r];
        for (int c = 0; c < PLAIN_KEYS; c++) most = fmaxf(most, row[c]);
        float base = most == negative_infinity() ? 0 : most, sum = 0;
        factors[r] = expf(maximum[r] - base);
        for (int c = 0; c < PLAIN_KEYS; c++) sum += row[c] = expf(row[c] - base);
        maximum[r] = most;
        sums[r] = sums[r] * factors[r] + sum;
    }
};

// Attends from rows range.row ..< at most 16 more to the keys `key` (a multiple of the tile's) ..<
// `end` that they see. Leaves the sums over them, not yet divided, to all threads of the block.
template <typename A, typename Keys>
__device__ __forceinline__ void attend_plain(const PlainRows &plain, const RowRange &range,
                                             const Keys &source, int D, const A *q, const A *k,
                                             const A *v, float scale, int reach, int key,
                                             int end) {
    int thread = threadIdx.x;
    load_plain(plain.queries, q, range.rows, range.row, range.end, D);
    for (int i = thread; i < plain_floats(D); i += PLAIN_THREADS) plain.out[i] = 0;
    if (thread < PLAIN_ROWS) {
        plain.maximum[thread] = negative_infinity();
        plain.sums[thread] = 0;
    }
    for (; key < end; key += PLAIN_KEYS) {
        __syncthreads();
        load_plain(plain.keys, k, source, key, end, D);
        load_plain(plain.values, v, source, key, end, D);
        __syncthreads();
        for (int i = thread; i < PLAIN_ROWS * PLAIN_KEYS; i += PLAIN_THREADS) {
            int r = i / PLAIN_KEYS, c = i % PLAIN_KEYS;
            float sum = 0;
            for (int d = 0; d < D; d++)
                sum = fmaf(plain.queries[r * (D + 1) + d], plain.keys[c * (D + 1) + d], sum);
            int seen = sees(range.position(range.row + r), key + c, reach);
            plain.scores[r * PLAIN_PITCH + c] = seen ? sum * scale : negative_infinity();
        }
        __syncthreads();
        if (thread < PLAIN_ROWS) plain.weigh(thread);
        __syncthreads();
        for (int i = thread; i < PLAIN_ROWS * D; i += PLAIN_THREADS) {
            int r = i / D, d = i % D;
            float sum = plain.out[r * (D + 1) + d] * plain.factors[r];
            for (int c = 0; c < PLAIN_KEYS; c++)
                sum = fmaf(plain.scores[r * PLAIN_PITCH + c], plain.values[c * (D + 1) + d], sum);
            plain.out[r * (D + 1) + d] = sum;
        }
    }
    __syncthreads();
}

// A block's rows from their first key to their last, finished.
template <typename A, typename Keys>
__device__ __forceinline__ void attend_rows_plain(const RowRange &range, const Keys &source, int D,
                                                  const A *q, const A *k, const A *v, float scale,
                                                  int reach, A *out, float *lse,
                                                  const QueryRows &lse_rows) {
    DYNAMIC_SHARED(float, shared);
    PlainRows plain(shared, D);
    int last = range.position(min(range.row + PLAIN_ROWS, range.end) - 1);
    attend_plain(plain, range, source, D, q, k, v, scale, reach,
                 first_tile(range.position(range.row), reach, PLAIN_KEYS), last + 1);
    for (int i = threadIdx.x; i < PLAIN_ROWS * D; i += PLAIN_THREADS) {
        int r = i / D, d = i % D;
        if (range.row + r < range.end)
            out[range.rows.offset(range.row + r) + d] =
                from_float<A>(plain.out[r * (D + 1) + d] / plain.sums[r]);
    }
    int r = threadIdx.x;
    if (lse != nullptr && r < PLAIN_ROWS && range.row + r < range.end)
        lse[lse_rows.offset(range.row + r)] = plain.maximum[r] + logf(plain.sums[r]);
}
