// Attention of sequences with one new row against the paged cache (decode), long ones split over
// blocks of the grid (Flash-Decoding).
//
// A block has up to 16 query heads of one kv head, which share its loads, and the keys of a split.
// A row's keys are cut into splits of SPLIT_KEYS from its first tile on, or, where these would be
// more than MOST_SPLITS, of as small a multiple of SPLIT_KEYS as gives no more. The grid is
// (splits, K * parts of a group of 16, S), `splits` any number that no row needs more than:
// MOST_SPLITS always is. Blocks beyond a row's need return at once. Splits depend on the row's own
// place and window alone, and the join adds them in order: a row has the same bits whatever else is
// in the batch, and for any grid. All that changes from step to step is read from the device's
// memory. Sequences with no row (starts equal) are left out, and so are those with several, which
// are paged_attention.cu's.
//
// On the tensor cores warp w has keys 16 w ..< 16 (w + 1) of each tile of 64; the four meet at the
// end. Decode is bound by memory: each byte of the cache serves the group's heads, up to 16
// multiply-adds. A block keeps 64 KiB of the cache on its way: 4 stages of 64 keys and values for
// D = 64, 2 for D = 128. Shared memory: these, and [16, D] of queries; the warps' sums, [4, 16, D]
// of f32 (32 KiB at most), take the stages' place. Registers: D/2 sums, D/4 queries, 8 scores.
//
// Races: a warp reads only the pieces of a stage that its own lanes copy: each lane waits for its
// copies, then sync_warp() makes them the warp's; another sync_warp() comes before the stage is
// copied to again. The queries are read after a barrier. Two barriers part the last reading of the
// stages, the writing of sums in their place, and the reading of these.
//
// partial_out: [S, H, splits, D], partial_state: [S, H, splits, 2] (maximum, sum) f32, both only
// written and read for rows with more than one split. With a grid of one split no join is needed.
#include "prelude.cuh"
#include "attention_tile.cuh"
#include "attention_rows.cuh"

enum { SPLIT_KEYS = 256, MOST_SPLITS = 32, HEADS = 16 };

// How the keys first ..<= position of a row are cut.
struct Splits {
    int first, size, count;
};
__device__ __forceinline__ Splits splits_of(int position, int reach) {
    int first = first_tile(position, reach, TILE_KEYS), keys = position + 1 - first;
    int most = SPLIT_KEYS * MOST_SPLITS, size = SPLIT_KEYS * max(1, (keys + most - 1) / most);
    return {first, size, (keys + size - 1) / size};
}

// What a block has to do.
struct Decode {
    RowRange range; // row .. end: heads of the group
    int kv_head, begin, end, splits;
    long state; // of the first head, in [S, H, splits]
};

// Whether there is work for this block.
__device__ __forceinline__ int decode_of_block(Decode &work, const int *starts, const int *lengths,
                                               long H, long K, long D, int reach) {
    int s = blockIdx.z, start = starts[s], position = lengths[s] - 1, group = (int)(H / K);
    if (starts[s + 1] - start != 1) return 0;
    Splits splits = splits_of(position, reach);
    if ((int)blockIdx.x >= splits.count) return 0;
    int parts = (group + HEADS - 1) / HEADS;
    work.kv_head = blockIdx.y / parts;
    int row = blockIdx.y % parts * HEADS;
    work.range = {query_rows(start, H, K, D, work.kv_head), row, min(row + HEADS, group), position};
    work.splits = splits.count;
    work.begin = splits.first + blockIdx.x * splits.size;
    work.end = min(work.begin + splits.size, position + 1);
    work.state = ((long)s * H + work.kv_head * group + row) * gridDim.x + blockIdx.x;
    return 1;
}

// What the split's keys give head r of the block: value is a column's sum, not yet divided by
// `sum`; the maximum is an exponent of two.
template <typename A>
__device__ __forceinline__ void store_decoded(const Decode &work, int r, int d, int D, float value,
                                              float maximum, float sum, float *partial_out,
                                              float *partial_state, A *out) {
    if (work.splits == 1) {
        out[work.range.rows.offset(work.range.row + r) + d] = from_float<A>(value / sum);
        return;
    }
    long state = work.state + (long)r * gridDim.x;
    partial_out[state * D + d] = value;
    if (d != 0) return;
    partial_state[2 * state] = maximum;
    partial_state[2 * state + 1] = sum;
}

// MARK: Tensor cores

template <int D, int STAGES>
__device__ __forceinline__ void decode(const Decode &work, const PagedKeys &source, const bf16 *q,
                                       const bf16 *k, const bf16 *v, float scale, int reach,
                                       float *partial_out, float *partial_state, bf16 *out) {
    enum { TILE = TILE_KEYS * D, WARP_TILE = 16 * D };
    DYNAMIC_SHARED(bf16, queries);
    __shared__ float maxima[4][HEADS], sums[4][HEADS];
    bf16 *stages = queries + HEADS * D;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int positions[2] = {work.range.first_position, work.range.first_position};

    copy_tile<D, HEADS, TILE_THREADS>(queries, q, work.range.rows, work.range.row, work.range.end);
    copy_async_commit();

    // A stage: keys, then values, of each warp its own 16 of them together.
    auto load = [&](int key, int stage) {
        bf16 *tile = stages + stage * 2 * TILE + warp * WARP_TILE;
        if (key < work.end) {
            copy_tile<D, 16, WARP>(tile, k, source, key + 16 * warp, work.end);
            copy_tile<D, 16, WARP>(tile + TILE, v, source, key + 16 * warp, work.end);
        }
        copy_async_commit();
    };
#pragma unroll
    for (int i = 0; i < STAGES; i++) load(work.begin + i * TILE_KEYS, i);

    // The queries came first; the stages are still on their way.
    copy_async_wait<STAGES>();
    __syncthreads();
    u32 lefts[D / 16][4];
#pragma unroll
    for (int c = 0; c < D / 16; c++) load_left<D>(lefts[c], queries, 0, 16 * c);

    SoftmaxRows<D> state;
    state.clear();
    for (int key = work.begin, stage = 0; key < work.end; key += TILE_KEYS) {
        copy_async_wait<STAGES - 1>();
        sync_warp();
        const bf16 *keys = stages + stage * 2 * TILE + warp * WARP_TILE, *values = keys + TILE;
        float scores[2][4] = {};
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
            u32 b[4];
            load_right<D>(b, keys, 0, 16 * c);
            mma_16x8x16(scores[0], lefts[c], b);
            mma_16x8x16(scores[1], lefts[c], b + 2);
        }
        hide_keys(scores, key + 16 * warp, positions, reach);
        state.weigh(scores, scale * LOG2E);
        add_rows<D, 2>(state.out, scores, values, 0);
        sync_warp();
        load(key + STAGES * TILE_KEYS, stage);
        stage = stage + 1 == STAGES ? 0 : stage + 1;
    }
    copy_async_wait<0>();
    __syncthreads();

    // The warps meet.
    float *outs = (float *)stages;
    state.finish();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = lane / 4 + 8 * half;
        if (lane % 4 == 0) {
            maxima[warp][r] = state.maximum[half];
            sums[warp][r] = state.sum[half];
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            *(float2 *)(outs + (warp * HEADS + r) * D + 8 * n + lane % 4 * 2) =
                make_float2(state.out[n][2 * half], state.out[n][2 * half + 1]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < (work.range.end - work.range.row) * D; i += TILE_THREADS) {
        int r = i / D, d = i % D;
        float maximum = maxima[0][r], value = 0, sum = 0;
        for (int w = 1; w < 4; w++) maximum = fmaxf(maximum, maxima[w][r]);
        for (int w = 0; w < 4; w++) {
            float factor = exp2_approximate(maxima[w][r] - maximum);
            value = fmaf(outs[(w * HEADS + r) * D + d], factor, value);
            sum = fmaf(sums[w][r], factor, sum);
        }
        store_decoded(work, r, d, D, value, maximum, sum, partial_out, partial_state, out);
    }
}

#define DECODE_PARAMETERS(A)                                                                       \
    const int *starts, const int *lengths, const int *tables, long table_stride, long H, long K,   \
        long D, long block_size, const A *q, const A *keys, const A *values, float scale,          \
        long window, float *partial_out, float *partial_state, A *out

#define TILED_DECODE(NAME, D_, STAGES)                                                             \
    KERNEL __launch_bounds__(TILE_THREADS) NAME(DECODE_PARAMETERS(bf16)) {                         \
        Decode work;                                                                               \
        int reach = reach_of(window);                                                              \
        if (!decode_of_block(work, starts, lengths, H, K, D_, reach)) return;                      \
        decode<D_, STAGES>(work,                                                                   \
                           paged_keys(tables + blockIdx.z * table_stride, K, D_, block_size,       \
                                      work.kv_head),                                               \
                           q, keys, values, scale, reach, partial_out, partial_state, out);        \
    }
TILED_DECODE(paged_decode_bf16_d64, 64, 4)
TILED_DECODE(paged_decode_bf16_d128, 128, 2)

// MARK: Any type and D

template <typename A>
__device__ __forceinline__ void decode_plain(const Decode &work, const PagedKeys &source, int D,
                                             const A *q, const A *k, const A *v, float scale,
                                             int reach, float *partial_out, float *partial_state,
                                             A *out) {
    DYNAMIC_SHARED(float, shared);
    PlainRows plain(shared, D);
    RowRange range = work.range;
    attend_plain(plain, range, source, D, q, k, v, scale, reach, work.begin, work.end);
    for (int i = threadIdx.x; i < (range.end - range.row) * D; i += PLAIN_THREADS) {
        int r = i / D, d = i % D;
        store_decoded(work, r, d, D, plain.out[r * (D + 1) + d], plain.maximum[r] * LOG2E,
                      plain.sums[r], partial_out, partial_state, out);
    }
}

#define PLAIN_DECODE(SUFFIX, A)                                                                    \
    KERNEL paged_decode_##SUFFIX(DECODE_PARAMETERS(A)) {                                           \
        Decode work;                                                                               \
        int reach = reach_of(window);                                                              \
        if (!decode_of_block(work, starts, lengths, H, K, D, reach)) return;                       \
        decode_plain(work,                                                                         \
                     paged_keys(tables + blockIdx.z * table_stride, K, D, block_size,              \
                                work.kv_head),                                                     \
                     (int)D, q, keys, values, scale, reach, partial_out, partial_state, out);      \
    }                                                                                              \
    KERNEL paged_decode_join_##SUFFIX(const int *starts, const int *lengths, long H, long D,       \
                                      long splits, long window, const float *partial_out,          \
                                      const float *partial_state, A *out) {                        \
        join_splits(starts, lengths, H, D, splits, window, partial_out, partial_state, out);       \
    }

// MARK: Joining splits

// Grid (S, H).
template <typename A>
__device__ __forceinline__ void join_splits(const int *starts, const int *lengths, long H, long D,
                                            long splits, long window, const float *partial_out,
                                            const float *partial_state, A *out) {
    long s = blockIdx.x, head = blockIdx.y, start = starts[s];
    if (starts[s + 1] - start != 1) return;
    int count = splits_of(lengths[s] - 1, reach_of(window)).count;
    if (count <= 1) return;
    const float *states = partial_state + (s * H + head) * splits * 2;
    const float *outs = partial_out + (s * H + head) * splits * D;
    float maximum = negative_infinity(), sum = 0;
    for (int i = 0; i < count; i++) maximum = fmaxf(maximum, states[2 * i]);
    for (int i = 0; i < count; i++)
        sum = fmaf(states[2 * i + 1], exp2_approximate(states[2 * i] - maximum), sum);
    for (long d = threadIdx.x; d < D; d += blockDim.x) {
        float value = 0;
        for (int i = 0; i < count; i++)
            value = fmaf(outs[i * D + d], exp2_approximate(states[2 * i] - maximum), value);
        out[(start * H + head) * D + d] = from_float<A>(value / sum);
    }
}

PLAIN_DECODE(f32, float)
PLAIN_DECODE(bf16, bf16)
