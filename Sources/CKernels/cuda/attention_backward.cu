// Gradients of attention over packed sequences, without atomic additions: every number is summed by
// one thread in an order that depends on the sequences alone.
//
//   delta[t, h] = sum_d dout out
//   p = exp(score - lse),  ds = p (dout . v - delta),  score = scale q . k
//   dv = sum p dout,  dk = scale sum ds q  (over all rows that see the key)
//   dq = scale sum ds k                    (over all keys that the row sees)
//
// Three passes: delta; dq by tiles of query rows, which go over their keys; dk and dv by tiles of a
// sequence's own keys, which go over the rows that see them: those of the sequence itself and of
// the sequences that go on from it. A prefix that many go on from is split among blocks by these
// sequences; the parts are added in order by a last kernel. Scores are computed anew in both.
//
// On the tensor cores a block of 4 warps has 64 rows (or keys), a warp 16 of them. In the pass for
// dk and dv all products are taken the other way round, scoresT = k qT, so that p and ds come out
// of one product as the left factors of the next; nothing is exchanged between warps.
// Shared memory for D = 64 / 128: 48 / 96 KiB, two resident tiles and two stages of two tiles.
// Each byte of a streamed tile serves 64 rows of the resident one in 3 (dq) or 4 (dk, dv) products,
// of which two read it: about 100 multiply-adds a byte of global memory.
// Registers: dq D/2 sums and 64 for scores and ds; dk and dv D sums and 32.
//
// Races: as in attention_rows.cuh. A stage (its tiles and the rows' lse, delta and positions) is
// written after the barrier that ends its last use and read after the next one. Resident tiles are
// only read after the first barrier; at the end each warp writes its own 16 rows of them, which no
// other warp reads, to pass its results on.
//
// q, dout, dq: [T, H, D]; k, v, dk, dv: [T, K, D]; lse, delta: [T, H] f32.
#include "prelude.cuh"
#include "attention_tile.cuh"
#include "attention_rows.cuh"

// MARK: Delta

// A warp has a row of [rows, D].
template <typename A>
__device__ __forceinline__ void row_delta(long rows, long D, const A *dout, const A *out,
                                          float *delta) {
    long row = (long)blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    if (row >= rows) return;
    float sum = 0;
    for (long d = threadIdx.x % WARP; d < D; d += WARP)
        sum = fmaf(to_float(dout[row * D + d]), to_float(out[row * D + d]), sum);
    sum = warp_sum(sum);
    if (threadIdx.x % WARP == 0) delta[row] = sum;
}

KERNEL attention_delta_f32(long rows, long D, const float *dout, const float *out, float *delta) {
    row_delta(rows, D, dout, out, delta);
}
KERNEL attention_delta_bf16(long rows, long D, const bf16 *dout, const bf16 *out, float *delta) {
    row_delta(rows, D, dout, out, delta);
}

// MARK: dq

// What a pass reads and where rows lie; A is the type of activations.
template <typename A> struct Gradients {
    long H, K, D;
    const A *dout, *q, *k, *v;
    const float *lse, *delta;
    float scale;
    int reach;
};

template <int D>
__device__ __forceinline__ void query_gradient(const int *tile, const PackedSequence *sequences,
                                               const Gradients<bf16> &g, bf16 *dq) {
    enum { TILE = 64 * D };
    DYNAMIC_SHARED(bf16, queries);
    bf16 *slopes = queries + TILE, *stages = slopes + TILE; // slopes: of the outputs
    int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16;
    PackedSequence sequence = sequences[tile[0]];
    PackedKeys source = packed_keys(sequence, g.K, D, blockIdx.y);
    QueryRows numbers = query_rows(sequence.start, g.H, g.K, 1, blockIdx.y);
    RowRange range = {query_rows(sequence.start, g.H, g.K, D, blockIdx.y), tile[1], 0,
                      sequence.prefix_count};
    range.end = sequence.count * range.rows.group.size;
    int last = range.position(min(range.row + 64, range.end) - 1);
    int key = first_tile(range.position(range.row), g.reach, TILE_KEYS), end = last + 1;

    copy_tile<D, 64, TILE_THREADS>(queries, g.q, range.rows, range.row, range.end);
    copy_tile<D, 64, TILE_THREADS>(slopes, g.dout, range.rows, range.row, range.end);
    copy_tile<D, 64, TILE_THREADS>(stages, g.k, source, key, end);
    copy_tile<D, 64, TILE_THREADS>(stages + TILE, g.v, source, key, end);
    copy_async_commit();

    int positions[2];
    float lse[2], delta[2], sums[D / 8][4];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = range.row + warp_row + lane / 4 + 8 * half;
        positions[half] = range.position(r);
        lse[half] = r < range.end ? g.lse[numbers.offset(r)] * LOG2E : 0;
        delta[half] = r < range.end ? g.delta[numbers.offset(r)] : 0;
    }
#pragma unroll
    for (int n = 0; n < D / 8; n++) sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0;

    for (int stage = 0; key < end; key += TILE_KEYS, stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads();
        if (key + TILE_KEYS < end) {
            bf16 *next = stages + (stage ^ 1) * 2 * TILE;
            copy_tile<D, 64, TILE_THREADS>(next, g.k, source, key + TILE_KEYS, end);
            copy_tile<D, 64, TILE_THREADS>(next + TILE, g.v, source, key + TILE_KEYS, end);
        }
        copy_async_commit();
        const bf16 *keys = stages + stage * 2 * TILE, *values = keys + TILE;
        float scores[8][4], ds[8][4];
        multiply_rows<D, 8>(scores, queries, warp_row, keys, 0);
        hide_keys(scores, key, positions, g.reach);
        multiply_rows<D, 8>(ds, slopes, warp_row, values, 0);
#pragma unroll
        for (int n = 0; n < 8; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float p = exp2_approximate(fmaf(scores[n][i], g.scale * LOG2E, -lse[i / 2]));
                ds[n][i] = p * (ds[n][i] - delta[i / 2]);
            }
        }
        add_rows<D, 8>(sums, ds, keys, 0);
    }
    float factors[2] = {g.scale, g.scale};
    store_rows<D>(dq, range.rows, range.row + warp_row, range.end, sums, factors, queries,
                  warp_row);
}

// MARK: dk, dv

// A block's work: the keys first ..< first + the tile's of a sequence's own, and the sequences
// viewer ..< end_viewer whose rows see them. With slot < 0 it has them all and writes dk and dv,
// else it writes its part to partials [slots, K, 2, keys of the tile, D] in f32.
struct KeyTile {
    int sequence, first, viewer, end_viewer, slot;
};

// Where a tile's keys lie: rows first ..< end of a sequence's own.
struct OwnKeys {
    QueryRows rows;
    int first, end;
};
__device__ __forceinline__ OwnKeys own_keys(const KeyTile &tile, const PackedSequence &owner,
                                            long K, long D) {
    return {query_rows(owner.start, K, K, D, blockIdx.y), tile.first, owner.count};
}

// Goes over the tiles of rows that see a tile of keys, in order.
struct Viewers {
    const PackedSequence *sequences;
    KeyTile tile;
    PackedSequence owner; // of the keys
    int rows, reach;      // rows of a tile
    int viewer, row, end; // where we are
    PackedSequence sequence;
    int limit; // the viewer sees keys before this place alone

    __device__ __forceinline__ int first_key() const { return owner.prefix_count + tile.first; }

    __device__ __forceinline__ void start(int keys, int group) {
        owner = sequences[tile.sequence];
        viewer = tile.viewer - 1;
        row = end = 0;
        next_viewer(keys, group);
    }
    __device__ __forceinline__ int done() const { return viewer >= tile.end_viewer; }
    __device__ __forceinline__ void advance(int keys, int group) {
        row += rows;
        if (row >= end) next_viewer(keys, group);
    }
    // The next sequence that has rows which see one of the keys.
    __device__ __forceinline__ void next_viewer(int keys, int group) {
        while (++viewer < tile.end_viewer) {
            sequence = sequences[viewer];
            int own = viewer == tile.sequence;
            limit = own ? 1 << 30 : sequence.prefix_count;
            int length = owner.prefix_count + owner.count;
            int last_key = min(min(first_key() + keys, length), limit) - 1;
            int until = min(sequence.count, last_key - sequence.prefix_count + reach);
            row = own ? tile.first * group : 0;
            end = until * group;
            if (last_key >= first_key() && row < end) return;
        }
    }
};

template <int D> struct ViewerStage {
    enum { ROWS = 64 };
    bf16 queries[ROWS * D], slopes[ROWS * D];
};
struct __align__(16) ViewerNumbers {
    float lse[64], delta[64];
    int positions[64];
};

// Starts copying a tile of rows to a stage.
template <int D>
__device__ __forceinline__ void load_viewers(ViewerStage<D> *stage, ViewerNumbers *numbers,
                                             const Viewers &at, const Gradients<bf16> &g) {
    QueryRows rows = query_rows(at.sequence.start, g.H, g.K, D, blockIdx.y);
    copy_tile<D, 64, TILE_THREADS>(stage->queries, g.q, rows, at.row, at.end);
    copy_tile<D, 64, TILE_THREADS>(stage->slopes, g.dout, rows, at.row, at.end);
    if (threadIdx.x >= 64) return;
    QueryRows places = query_rows(at.sequence.start, g.H, g.K, 1, blockIdx.y);
    int i = threadIdx.x, r = at.row + i, there = r < at.end;
    numbers->lse[i] = there ? g.lse[places.offset(r)] * LOG2E : 0;
    numbers->delta[i] = there ? g.delta[places.offset(r)] : 0;
    numbers->positions[i] = there ? at.sequence.prefix_count + rows.token(r) : LOWEST;
}

// p and ds, transposed, of 16 keys and 8 BLOCKS rows from `row` on, from their scores and
// dout . v. A lane has keys `key` and key + 8, of each block the rows 2 (lane % 4) and the next.
template <int BLOCKS>
__device__ __forceinline__ void weigh_viewers(float (&scores)[BLOCKS][4], float (&ds)[BLOCKS][4],
                                              const ViewerNumbers *numbers, int row, int key,
                                              int limit, float scale, int reach) {
    int column = row + threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < BLOCKS; n++) {
        float2 lse = *(const float2 *)(numbers->lse + column + 8 * n);
        float2 delta = *(const float2 *)(numbers->delta + column + 8 * n);
        int2 position = *(const int2 *)(numbers->positions + column + 8 * n);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int its_key = key + i / 2 * 8;
            int seen = its_key < limit && sees(i % 2 ? position.y : position.x, its_key, reach);
            float p = exp2_approximate(fmaf(scores[n][i], scale, -(i % 2 ? lse.y : lse.x)));
            scores[n][i] = seen ? p : 0;
            ds[n][i] = scores[n][i] * (ds[n][i] - (i % 2 ? delta.y : delta.x));
        }
    }
}

template <int D>
__device__ __forceinline__ void key_gradient(const KeyTile *tiles, const PackedSequence *sequences,
                                             const Gradients<bf16> &g, float *partials, bf16 *dk,
                                             bf16 *dv) {
    enum { TILE = 64 * D, BLOCKS = D == 64 ? 4 : 2 }; // BLOCKS: registers are what bounds them
    DYNAMIC_SHARED(bf16, keys);
    __shared__ ViewerNumbers numbers[2];
    bf16 *values = keys + TILE;
    ViewerStage<D> *stages = (ViewerStage<D> *)(values + TILE);
    int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * 16, group = (int)(g.H / g.K);
    Viewers at = {sequences, tiles[blockIdx.x]};
    at.rows = 64;
    at.reach = g.reach;
    at.start(TILE_KEYS, group);
    int key = at.first_key() + warp_row + lane / 4;
    OwnKeys own = own_keys(at.tile, at.owner, g.K, D);
    copy_tile<D, 64, TILE_THREADS>(keys, g.k, own.rows, own.first, own.end);
    copy_tile<D, 64, TILE_THREADS>(values, g.v, own.rows, own.first, own.end);
    if (!at.done()) load_viewers<D>(stages, numbers, at, g);
    copy_async_commit();

    float key_sums[D / 8][4], value_sums[D / 8][4];
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        key_sums[n][0] = key_sums[n][1] = key_sums[n][2] = key_sums[n][3] = 0;
        value_sums[n][0] = value_sums[n][1] = value_sums[n][2] = value_sums[n][3] = 0;
    }
    for (int stage = 0; !at.done(); stage ^= 1) {
        int limit = at.limit;
        copy_async_wait<0>();
        __syncthreads();
        at.advance(TILE_KEYS, group);
        if (!at.done()) load_viewers<D>(stages + (stage ^ 1), numbers + (stage ^ 1), at, g);
        copy_async_commit();
        const ViewerStage<D> &rows = stages[stage];
#pragma unroll 1
        for (int row = 0; row < 64; row += 8 * BLOCKS) {
            float scores[BLOCKS][4], ds[BLOCKS][4];
            multiply_rows<D, BLOCKS>(scores, keys, warp_row, rows.queries, row);
            multiply_rows<D, BLOCKS>(ds, values, warp_row, rows.slopes, row);
            weigh_viewers<BLOCKS>(scores, ds, numbers + stage, row, key, limit, g.scale * LOG2E,
                                  g.reach);
            add_rows<D, BLOCKS>(value_sums, scores, rows.slopes, row);
            add_rows<D, BLOCKS>(key_sums, ds, rows.queries, row);
        }
    }
    copy_async_wait<0>();
    __syncthreads();
    if (at.tile.slot < 0) {
        float ones[2] = {1, 1}, factors[2] = {g.scale, g.scale};
        int row = own.first + warp_row;
        store_rows<D>(dk, own.rows, row, own.end, key_sums, factors, keys, warp_row);
        store_rows<D>(dv, own.rows, row, own.end, value_sums, ones, values, warp_row);
        return;
    }
    float *part = partials + ((long)at.tile.slot * g.K + blockIdx.y) * 2 * TILE;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int place = (warp_row + lane / 4 + 8 * half) * D + 8 * n + lane % 4 * 2;
            *(float2 *)(part + place) = make_float2(key_sums[n][2 * half] * g.scale,
                                                    key_sums[n][2 * half + 1] * g.scale);
            *(float2 *)(part + TILE + place) =
                make_float2(value_sums[n][2 * half], value_sums[n][2 * half + 1]);
        }
    }
}

#define TILED_BACKWARD(D_)                                                                         \
    KERNEL __launch_bounds__(TILE_THREADS)                                                         \
    attention_query_gradient_bf16_d##D_(                                                           \
        const int *tiles, const PackedSequence *sequences, long H, long K, long D,                 \
        const bf16 *dout, const bf16 *q, const bf16 *k, const bf16 *v, const float *lse,           \
        const float *delta, float scale, long window, bf16 *dq) {                                  \
        Gradients<bf16> g = {H, K, D, dout, q, k, v, lse, delta, scale, reach_of(window)};         \
        query_gradient<D_>(tiles + 2 * blockIdx.x, sequences, g, dq);                              \
    }                                                                                              \
    KERNEL __launch_bounds__(TILE_THREADS)                                                         \
    attention_key_gradient_bf16_d##D_(                                                             \
        const KeyTile *tiles, const PackedSequence *sequences, long H, long K, long D,             \
        const bf16 *dout, const bf16 *q, const bf16 *k, const bf16 *v, const float *lse,           \
        const float *delta, float scale, long window, float *partials, bf16 *dk, bf16 *dv) {       \
        Gradients<bf16> g = {H, K, D, dout, q, k, v, lse, delta, scale, reach_of(window)};         \
        key_gradient<D_>(tiles, sequences, g, partials, dk, dv);                                   \
    }
TILED_BACKWARD(64)
TILED_BACKWARD(128)

// MARK: Any type and D

#include "attention_backward_plain.cuh"

#define PLAIN_BACKWARD(A, SUFFIX)                                                                  \
    KERNEL attention_query_gradient_##SUFFIX(                                                      \
        const int *tiles, const PackedSequence *sequences, long H, long K, long D, const A *dout,  \
        const A *q, const A *k, const A *v, const float *lse, const float *delta, float scale,     \
        long window, A *dq) {                                                                      \
        Gradients<A> g = {H, K, D, dout, q, k, v, lse, delta, scale, reach_of(window)};            \
        query_gradient_plain(tiles + 2 * blockIdx.x, sequences, g, dq);                            \
    }                                                                                              \
    KERNEL attention_key_gradient_##SUFFIX(                                                        \
        const KeyTile *tiles, const PackedSequence *sequences, long H, long K, long D,             \
        const A *dout, const A *q, const A *k, const A *v, const float *lse, const float *delta,   \
        float scale, long window, float *partials, A *dk, A *dv) {                                 \
        Gradients<A> g = {H, K, D, dout, q, k, v, lse, delta, scale, reach_of(window)};            \
        key_gradient_plain(tiles, sequences, g, partials, dk, dv);                                 \
    }                                                                                              \
    KERNEL attention_key_gradient_join_##SUFFIX(const JoinedTile *tiles,                           \
                                                const PackedSequence *sequences, long K, long D,   \
                                                long keys, const float *partials, A *dk, A *dv) {  \
        join_parts(tiles, sequences, K, D, keys, partials, dk, dv);                                \
    }

// MARK: Prefixes split among blocks

// A tile of keys and its parts.
struct JoinedTile {
    int sequence, first, slot, end_slot;
};

// Grid (tiles, K, 2): dk, then dv. The parts are added in the order of their slots; `keys` is the
// number of keys of a tile.
template <typename A>
__device__ __forceinline__ void join_parts(const JoinedTile *tiles, const PackedSequence *sequences,
                                           long K, long D, long keys, const float *partials, A *dk,
                                           A *dv) {
    JoinedTile tile = tiles[blockIdx.x];
    PackedSequence owner = sequences[tile.sequence];
    A *gradient = blockIdx.z == 0 ? dk : dv;
    long kv_head = blockIdx.y, count = min((long)(owner.count - tile.first), keys);
    for (long i = threadIdx.x; i < count * D; i += blockDim.x) {
        float sum = 0;
        for (long slot = tile.slot; slot < tile.end_slot; slot++)
            sum += partials[((slot * K + kv_head) * 2 + blockIdx.z) * keys * D + i];
        long row = owner.start + tile.first + i / D;
        gradient[(row * K + kv_head) * D + i % D] = from_float<A>(sum);
    }
}

PLAIN_BACKWARD(float, f32)
PLAIN_BACKWARD(bf16, bf16)
