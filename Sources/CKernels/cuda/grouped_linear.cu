// The low-rank parts of a batch in which runs of rows have adapters of their own (Punica's grouped
// products, arXiv 2310.18547): y[rows] += scale (x[rows] Aᵀ) Bᵀ, all runs in two launches.
//
// Groups are parameters of the kernel, so that nothing is uploaded for a launch. A block has 16 rows
// of one group: grid.x counts these tiles through the groups.
//
// The first launch cuts K into splits of 1024, so that a few rows occupy the device: a block has one
// split and 32 ranks, a warp 128 of the depths; the warps' sums are added in order, and the second
// launch adds the splits in order as it reads them and rounds the sum to the type of x. All depends
// on K alone: a row has the same bits whatever the other rows and groups.
//
// On the tensor cores a lane reads 16 bytes of a row straight from memory. That gives each lane
// eight neighbouring depths where mma_16x8x16 would have pairs far apart; as both operands are read
// so, only the order of the sum is another. Columns of y are dealt out in the same spirit: a lane
// ends with eight neighbouring ones.
#include "prelude.cuh"

enum { MOST_GROUPS = 8, ROWS = 16, RANKS = 32, MOST_RANK = 256, COLUMNS = 128 };
enum { SHRINK_WARPS = 8, WARP_DEPTH = 128, SPLIT_DEPTH = SHRINK_WARPS * WARP_DEPTH };
enum { EXPAND_THREADS = 128, DEPTH = 32 };

// A [rank, K], B [N, rank] and the rows first ..< end.
template <typename X> struct Group {
    const X *A, *B;
    long first, end;
    int rank;
    float scale;
};

// The rows row ..< row + count of a group.
template <typename X> struct Tile {
    Group<X> group;
    long row;
    int count;
};

template <typename X>
__device__ __forceinline__ Tile<X> tile_of_block(const Group<X> (&groups)[MOST_GROUPS]) {
    Tile<X> tile = {groups[0], groups[0].first, 0};
    long index = blockIdx.x;
#pragma unroll
    for (int i = 0; i < MOST_GROUPS; i++) {
        long tiles = (groups[i].end - groups[i].first + ROWS - 1) / ROWS;
        if (index >= 0 && index < tiles) {
            long row = groups[i].first + index * ROWS;
            tile = {groups[i], row, (int)min((long)ROWS, groups[i].end - row)};
        }
        index -= tiles;
    }
    return tile;
}

// Eight neighbouring numbers, or zeros.
__device__ __forceinline__ uint4 eight(const bf16 *numbers, bool use) {
    return use ? *(const uint4 *)numbers : make_uint4(0, 0, 0, 0);
}

// d += the product of 16 rows, whose lane's two have `low` and `high`, and 8 columns, over 32 depths.
__device__ __forceinline__ void add_depths(float d[4], uint4 low, uint4 high, uint4 column) {
    u32 first[4] = {low.x, high.x, low.y, high.y}, second[4] = {low.z, high.z, low.w, high.w};
    u32 first_column[2] = {column.x, column.y}, second_column[2] = {column.z, column.w};
    mma_16x8x16(d, first, first_column);
    mma_16x8x16(d, second, second_column);
}

// MARK: x Aᵀ

// inner [splits, T, R]: R is the stride, of the largest rank. K is a multiple of 8. Grid
// (tiles, ranks / 32, splits).
__device__ __forceinline__ void shrink(const Tile<bf16> &tile, long T, long K, long R, const bf16 *x,
                                       float *inner) {
    __shared__ float sums[SHRINK_WARPS][ROWS][RANKS];
    const Group<bf16> &group = tile.group;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
    int rank = blockIdx.y * RANKS;
    if (rank >= group.rank) return;
    long begin = (long)blockIdx.z * SPLIT_DEPTH + warp * WARP_DEPTH + 8 * t;
    const bf16 *low = x + (tile.row + g) * K, *high = low + 8 * K;
    const bf16 *A = group.A + (rank + g) * K;
    float d[RANKS / 8][4] = {};
#pragma unroll 2
    for (int step = 0; step < WARP_DEPTH; step += DEPTH) {
        long k = begin + step;
        uint4 lows = eight(low + k, k < K && g < tile.count);
        uint4 highs = eight(high + k, k < K && g + 8 < tile.count);
        uint4 columns[RANKS / 8];
#pragma unroll
        for (int j = 0; j < RANKS / 8; j++)
            columns[j] = eight(A + 8 * j * K + k, k < K && rank + 8 * j + g < group.rank);
#pragma unroll
        for (int j = 0; j < RANKS / 8; j++) add_depths(d[j], lows, highs, columns[j]);
    }
#pragma unroll
    for (int j = 0; j < RANKS / 8; j++) {
        *(float2 *)&sums[warp][g][8 * j + 2 * t] = make_float2(d[j][0], d[j][1]);
        *(float2 *)&sums[warp][g + 8][8 * j + 2 * t] = make_float2(d[j][2], d[j][3]);
    }
    __syncthreads();
    inner += ((long)blockIdx.z * T + tile.row) * R + rank;
    for (int i = threadIdx.x; i < tile.count * RANKS; i += SHRINK_WARPS * WARP) {
        int row = i / RANKS, r = i % RANKS;
        float sum = sums[0][row][r];
        for (int w = 1; w < SHRINK_WARPS; w++) sum += sums[w][row][r];
        if (rank + r < group.rank) inner[row * R + r] = sum;
    }
}

// The same for any K and type: a warp has a row and a rank at a time.
template <typename X>
__device__ __forceinline__ void shrink_plain(const Tile<X> &tile, long T, long K, long R, const X *x,
                                             float *inner) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, rank = blockIdx.y * RANKS;
    long begin = (long)blockIdx.z * SPLIT_DEPTH, end = min(begin + SPLIT_DEPTH, K);
    for (int i = warp; i < tile.count * RANKS; i += SHRINK_WARPS) {
        long row = tile.row + i / RANKS;
        int r = rank + i % RANKS;
        if (r >= tile.group.rank) continue;
        float sum = 0;
        for (long k = begin + lane; k < end; k += WARP)
            sum = fmaf(to_float(x[row * K + k]), to_float(tile.group.A[r * K + k]), sum);
        sum = warp_sum(sum);
        if (lane == 0) inner[((long)blockIdx.z * T + row) * R + r] = sum;
    }
}

// MARK: += scale inner Bᵀ

// Adds up the splits of rank `r` of row `row` of the tile.
template <typename X>
__device__ __forceinline__ X inner_sum(const Tile<X> &tile, int row, int r, long T, long R,
                                       long splits, const float *inner) {
    if (row >= tile.count || r >= tile.group.rank) return from_float<X>(0);
    inner += (tile.row + row) * R + r;
    float sum = inner[0];
    for (long split = 1; split < splits; split++) sum += inner[split * T * R];
    return from_float<X>(sum);
}

// Ranks and N are multiples of 8. Grid (tiles, N / 128).
__device__ __forceinline__ void expand(const Tile<bf16> &tile, long T, long N, long R, long splits,
                                       const float *inner, bf16 *y) {
    // Rows 16 bytes apart in the banks.
    enum { STRIDE = MOST_RANK + 8 };
    __shared__ __align__(16) bf16 rows[ROWS * STRIDE];
    const Group<bf16> &group = tile.group;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
    for (int i = threadIdx.x; i < ROWS * group.rank; i += EXPAND_THREADS) {
        int row = i / group.rank, r = i % group.rank;
        rows[row * STRIDE + r] = inner_sum(tile, row, r, T, R, splits, inner);
    }
    __syncthreads();

    // Column g of product j is n + 8 (g / 2) + 2 j + g % 2: so this lane ends with 8 t + 0 ..< 8.
    long n = (long)blockIdx.y * COLUMNS + warp * 32, first = n + 8 * (g / 2) + g % 2;
    float d[4][4] = {};
    for (int r = 8 * t; r - 8 * t < group.rank; r += DEPTH) {
        uint4 low = eight(rows + g * STRIDE + r, r < group.rank);
        uint4 high = eight(rows + (g + 8) * STRIDE + r, r < group.rank);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            long column = first + 2 * j;
            bool use = r < group.rank && column < N;
            add_depths(d[j], low, high, eight(group.B + column * group.rank + r, use));
        }
    }
    long column = n + 8 * t;
    if (column >= N) return;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        if (g + 8 * half >= tile.count) continue;
        bf16 *target = y + (tile.row + g + 8 * half) * N + column;
        float values[8];
        load(target, values);
#pragma unroll
        for (int i = 0; i < 8; i++)
            values[i] = fmaf(group.scale, d[i / 2][2 * half + i % 2], values[i]);
        store(target, values);
    }
}

// The same for any rank, N and type: a thread has one column.
template <typename X>
__device__ __forceinline__ void expand_plain(const Tile<X> &tile, long T, long N, long R,
                                             long splits, const float *inner, X *y) {
    __shared__ float rows[ROWS][MOST_RANK];
    const Group<X> &group = tile.group;
    for (int i = threadIdx.x; i < ROWS * group.rank; i += EXPAND_THREADS) {
        int row = i / group.rank, r = i % group.rank;
        rows[row][r] = to_float(inner_sum(tile, row, r, T, R, splits, inner));
    }
    __syncthreads();
    long n = (long)blockIdx.y * COLUMNS + threadIdx.x;
    if (n >= N) return;
    float sums[ROWS] = {};
    for (int r = 0; r < group.rank; r++) {
        float b = to_float(group.B[n * group.rank + r]);
#pragma unroll
        for (int row = 0; row < ROWS; row++) sums[row] = fmaf(rows[row][r], b, sums[row]);
    }
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        if (row >= tile.count) continue;
        X *target = y + (tile.row + row) * N + n;
        *target = from_float<X>(fmaf(group.scale, sums[row], to_float(*target)));
    }
}

// MARK: Kernels

#define PARAMETERS(X, i)                                                                           \
    const X *A##i, const X *B##i, long first##i, long end##i, int rank##i, float scale##i
#define GROUP(i) {A##i, B##i, first##i, end##i, rank##i, scale##i}
#define GROUPS(X)                                                                                  \
    const Group<X> groups[MOST_GROUPS] = {GROUP(0), GROUP(1), GROUP(2), GROUP(3),                  \
                                          GROUP(4), GROUP(5), GROUP(6), GROUP(7)}
#define GROUP_PARAMETERS(X)                                                                        \
    PARAMETERS(X, 0), PARAMETERS(X, 1), PARAMETERS(X, 2), PARAMETERS(X, 3), PARAMETERS(X, 4),      \
        PARAMETERS(X, 5), PARAMETERS(X, 6), PARAMETERS(X, 7)

#define GROUPED(SUFFIX, X, SHRINK, EXPAND)                                                         \
    KERNEL __launch_bounds__(SHRINK_WARPS *WARP)                                                   \
    grouped_linear_shrink_##SUFFIX(long T, long K, long R, const X *x, float *inner,               \
                                   GROUP_PARAMETERS(X)) {                                          \
        GROUPS(X);                                                                                 \
        SHRINK(tile_of_block(groups), T, K, R, x, inner);                                          \
    }                                                                                              \
    KERNEL __launch_bounds__(EXPAND_THREADS)                                                       \
    grouped_linear_expand_##SUFFIX(long T, long N, long R, long splits, const float *inner, X *y,  \
                                   GROUP_PARAMETERS(X)) {                                          \
        GROUPS(X);                                                                                 \
        EXPAND(tile_of_block(groups), T, N, R, splits, inner, y);                                  \
    }

GROUPED(f32, float, shrink_plain, expand_plain)
GROUPED(bf16, bf16, shrink_plain, expand_plain)
GROUPED(bf16_tensor, bf16, shrink, expand)
