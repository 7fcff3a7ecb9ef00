// What all attention kernels share: where rows lie, and the products of tiles on the tensor cores.
//
// Query rows of a kv head go token by token, and query head by query head within a token, so that
// all heads of a group meet a key while it is in shared memory: row r is of token r / group.
//
// A tile is [rows, D] of bf16 in shared memory, row after row, D = 64 or 128. The 16-byte pieces of
// a row are permuted: piece c of row r lies at c ^ (r % 8). The eight rows that one matrix load
// takes then come from all 32 banks, and so do the words of a tile that is written by fragments.
#pragma once

enum {
    TILE_KEYS = 64,     // keys of a tile
    TILE_THREADS = 128, // of a block
    LOWEST = -1         // the position of a row that is not there: it sees no key
};

// MARK: Where rows lie

// As in ck_packed_sequence.
struct PackedSequence {
    int start, count, prefix_start, prefix_count;
};

// Division by a number that does not change, as one product: exact for 0 <= x < 2^32 / size.
struct Divisor {
    int size;
    u32 reciprocal; // of size, in units of 2^-32, rounded up

    __device__ __forceinline__ int quotient(int x) const {
        return size == 1 ? x : (int)((u64)(u32)x * reciprocal >> 32);
    }
};
__device__ __forceinline__ Divisor divisor(int size) { return {size, ~0u / (u32)size + 1}; }

// Rows of one kv head of one sequence within [T, H, width]; numbers are elements.
struct QueryRows {
    long first, token_stride;
    Divisor group;
    int width;

    __device__ __forceinline__ int token(int row) const { return group.quotient(row); }
    __device__ __forceinline__ long offset(int row) const {
        int t = token(row);
        return first + t * token_stride + (row - t * group.size) * (long)width;
    }
};

__device__ __forceinline__ QueryRows query_rows(long start, long H, long K, long width,
                                                long kv_head) {
    int group = (int)(H / K);
    return {(start * H + kv_head * group) * width, H * width, divisor(group), (int)width};
}

// Keys (or values) of one kv head of a packed sequence, by position within the sequence.
struct PackedKeys {
    long first, stride;
    int origin, prefix_start, prefix_count;

    __device__ __forceinline__ long offset(int position) const {
        int row = position + (position < prefix_count ? prefix_start : origin);
        return first + (long)row * stride;
    }
};

__device__ __forceinline__ PackedKeys packed_keys(const PackedSequence &sequence, long K, long D,
                                                  long kv_head) {
    return {kv_head * D, K * D, sequence.start - sequence.prefix_count, sequence.prefix_start,
            sequence.prefix_count};
}

// Keys (or values) of one kv head of a sequence in the paged cache [B, K, block_size, D].
struct PagedKeys {
    const int *table;
    long first, block_stride, D;
    Divisor block;

    __device__ __forceinline__ long offset(int position) const {
        int i = block.quotient(position);
        return first + table[i] * block_stride + (position - i * block.size) * D;
    }
};

__device__ __forceinline__ PagedKeys paged_keys(const int *table, long K, long D, long block_size,
                                                long kv_head) {
    return {table, kv_head * block_size * D, K * block_size * D, D,
            divisor((int)block_size)};
}

// How many tokens back a row sees, itself included.
__device__ __forceinline__ int reach_of(long window) {
    return window > 0 && window < (1 << 30) ? (int)window : 1 << 30;
}
__device__ __forceinline__ int sees(int position, int key, int reach) {
    return key <= position && position - key < reach;
}
// The first key of the tile in which a row's keys begin. Tiles are counted from the sequence's
// first token, so that the order of a row's sums does not depend on the rows beside it.
__device__ __forceinline__ int first_tile(int position, int reach, int tile_keys) {
    int key = position - reach + 1;
    return key > 0 ? key / tile_keys * tile_keys : 0;
}

__device__ __forceinline__ float negative_infinity() { return __uint_as_float(0xff800000u); }

// log2(e): scores are exponents of two on the tensor-core path.
constexpr float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;

// MARK: Tiles

// The place of a column, a multiple of 8, in a tile.
template <int D> __device__ __forceinline__ int tile_place(int row, int column) {
    return row * D + ((column / 8) ^ (row % 8)) * 8;
}

// Starts copying rows first ..< first + ROWS of `base` to a tile by the block's or, with
// THREADS = WARP, by a warp's threads. Rows from `end` on are zeros; nothing of them is read.
template <int D, int ROWS, int THREADS, typename Rows>
__device__ __forceinline__ void copy_tile(bf16 *tile, const bf16 *base, const Rows &rows,
                                          int first, int end) {
#pragma unroll
    for (int i = 0; i < ROWS * D / 8 / THREADS; i++) {
        int piece = i * THREADS + threadIdx.x % THREADS;
        int row = piece / (D / 8), column = piece % (D / 8) * 8;
        int use = first + row < end;
        long offset = use ? rows.offset(first + row) + column : 0;
        copy_async_16(tile + tile_place<D>(row, column), base + offset, use);
    }
}

// The left factor [16, 16] at (row, column) of a tile.
template <int D>
__device__ __forceinline__ void load_left(u32 a[4], const bf16 *tile, int row, int column) {
    int lane = threadIdx.x % WARP;
    load_matrices(a, tile + tile_place<D>(row + lane % 16, column + lane / 16 * 8));
}

// Right factors of x . tileT: words 0, 1 for rows row ..< row + 8 of the tile as columns of the
// product, words 2, 3 for the next 8; the depth is columns column ..< column + 16.
template <int D>
__device__ __forceinline__ void load_right(u32 b[4], const bf16 *tile, int row, int column) {
    int lane = threadIdx.x % WARP;
    load_matrices(b, tile + tile_place<D>(row + lane / 16 * 8 + lane % 8,
                                          column + lane / 8 % 2 * 8));
}

// Right factors of x . tile: words 0, 1 for columns column ..< column + 8, words 2, 3 for the next
// 8; the depth is rows row ..< row + 16.
template <int D>
__device__ __forceinline__ void load_right_transposed(u32 b[4], const bf16 *tile, int row,
                                                      int column) {
    int lane = threadIdx.x % WARP;
    load_matrices_transposed(b, tile + tile_place<D>(row + lane % 16, column + lane / 16 * 8));
}

// A product's blocks [16, 8] at columns 0 and 8 as the left factor [16, 16] of another.
__device__ __forceinline__ void as_left(u32 a[4], const float low[4], const float high[4]) {
    a[0] = pack_bf16(low[0], low[1]);
    a[1] = pack_bf16(low[2], low[3]);
    a[2] = pack_bf16(high[0], high[1]);
    a[3] = pack_bf16(high[2], high[3]);
}

// sums [16, D] += weights [16, 8 BLOCKS] . rows row ..< row + 8 BLOCKS of a tile, the weights
// rounded to bf16.
template <int D, int BLOCKS>
__device__ __forceinline__ void add_rows(float (&sums)[D / 8][4], const float (&weights)[BLOCKS][4],
                                         const bf16 *tile, int row) {
#pragma unroll
    for (int i = 0; i < BLOCKS / 2; i++) {
        u32 a[4];
        as_left(a, weights[2 * i], weights[2 * i + 1]);
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            u32 b[4];
            load_right_transposed<D>(b, tile, row + 16 * i, 16 * n);
            mma_16x8x16(sums[2 * n], a, b);
            mma_16x8x16(sums[2 * n + 1], a, b + 2);
        }
    }
}

// products [16, 8 BLOCKS] = rows left_row ..< left_row + 16 of `left` . rows row ..< of `right`T.
template <int D, int BLOCKS>
__device__ __forceinline__ void multiply_rows(float (&products)[BLOCKS][4], const bf16 *left,
                                              int left_row, const bf16 *right, int row) {
#pragma unroll
    for (int n = 0; n < BLOCKS; n++)
        products[n][0] = products[n][1] = products[n][2] = products[n][3] = 0;
#pragma unroll
    for (int c = 0; c < D / 16; c++) {
        u32 a[4];
        load_left<D>(a, left, left_row, 16 * c);
#pragma unroll
        for (int n = 0; n < BLOCKS / 2; n++) {
            u32 b[4];
            load_right<D>(b, right, row + 16 * n, 16 * c);
            mma_16x8x16(products[2 * n], a, b);
            mma_16x8x16(products[2 * n + 1], a, b + 2);
        }
    }
}

// Writes sums [16, D] times a factor for each half of the rows to rows first ..< end of `base`, at
// most 16, by one warp. It goes through rows row ..< row + 16 of a tile, which this warp alone may
// still read, so that global memory is written in pieces of 16 bytes.
template <int D, typename Rows>
__device__ __forceinline__ void store_rows(bf16 *base, const Rows &rows, int first, int end,
                                           const float (&sums)[D / 8][4], const float factors[2],
                                           bf16 *tile, int row) {
    int lane = threadIdx.x % WARP;
    sync_warp();
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int place = tile_place<D>(row + lane / 4 + 8 * half, 8 * n) + lane % 4 * 2;
            *(u32 *)(tile + place) = pack_bf16(sums[n][2 * half] * factors[half],
                                               sums[n][2 * half + 1] * factors[half]);
        }
    }
    sync_warp();
#pragma unroll
    for (int i = 0; i < 16 * D / 8 / WARP; i++) {
        int piece = i * WARP + lane, r = piece / (D / 8), column = piece % (D / 8) * 8;
        if (first + r < end)
            *(uint4 *)(base + rows.offset(first + r) + column) =
                *(const uint4 *)(tile + tile_place<D>(row + r, column));
    }
}

// MARK: Softmax

// The sums of 16 rows over the keys so far. Lane l holds rows l / 4 and l / 4 + 8, of `out` the
// columns as mma_16x8x16 gives them; `sum` is of the lane's own keys until it is finished.
template <int D> struct SoftmaxRows {
    float out[D / 8][4], maximum[2], sum[2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int n = 0; n < D / 8; n++) out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0;
        maximum[0] = maximum[1] = negative_infinity();
        sum[0] = sum[1] = 0;
    }

    // Scores become weights exp2(scale * score - maximum); what is summed so far is rescaled.
    // A row that has seen no key yet has the maximum -infinity and keeps sums of 0.
    template <int BLOCKS>
    __device__ __forceinline__ void weigh(float (&scores)[BLOCKS][4], float scale) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = negative_infinity();
#pragma unroll
            for (int n = 0; n < BLOCKS; n++)
                most = fmaxf(most, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
            most = fmaxf(most, lane_exchange(most, 1));
            most = fmaxf(most, lane_exchange(most, 2));
            most = fmaxf(maximum[half], most * scale);
            float base = most == negative_infinity() ? 0 : most;
            float factor = exp2_approximate(maximum[half] - base);
            maximum[half] = most;
            sum[half] *= factor;
#pragma unroll
            for (int n = 0; n < D / 8; n++) {
                out[n][2 * half] *= factor;
                out[n][2 * half + 1] *= factor;
            }
#pragma unroll
            for (int n = 0; n < BLOCKS; n++) {
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; i++) {
                    scores[n][i] = exp2_approximate(fmaf(scores[n][i], scale, -base));
                    sum[half] += scores[n][i];
                }
            }
        }
    }

    // The sums over all lanes that share a row.
    __device__ __forceinline__ void finish() {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            sum[half] += lane_exchange(sum[half], 1);
            sum[half] += lane_exchange(sum[half], 2);
        }
    }
};

// Scores of keys that a row does not see become -infinity. `key` is the first of the block's keys.
template <int BLOCKS>
__device__ __forceinline__ void hide_keys(float (&scores)[BLOCKS][4], int key,
                                          const int positions[2], int reach) {
    int column = key + threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < BLOCKS; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (!sees(positions[i / 2], column + 8 * n + i % 2, reach))
                scores[n][i] = negative_infinity();
    }
}
