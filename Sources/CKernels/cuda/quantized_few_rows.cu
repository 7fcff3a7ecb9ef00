// Products of a few rows with a quantised weight, as in decode: the weight is read once, as codes,
// which become bf16 in registers. An element is what dequantize gives, rounded to bf16; sums are f32.
//
// A block has 32 rows of the weight and a split of K, whose slabs (64 depths of int8, 128 of 4 bits)
// its warps take in turn. A lane's 16 bytes are four rows' words of one depth, from half a panel;
// the warp's are four depths of four panels, four full lines. So product j of four takes, as its
// column g, row j of half g % 2 of panel g / 2, and its lane t supplies depths that are neighbours
// in x as well: only the order of the sum is another than mma_16x8x16 has it. A lane ends with eight
// neighbouring columns. The next slab's codes are on their way while one is multiplied.
//
// The warps' sums are added in order, and so are the splits', which depend on N and K alone: a row
// has the same bits whatever the other rows.
#include "prelude.cuh"
#include "quantized_layout.cuh"

enum { WARPS = 8, COLUMNS = 32, STEPS = 4 };

// What a lane has of a slab: four rows' words at each of four steps, and scales of each group.
template <int KIND> struct Slab {
    enum {
        DEPTH = word_depth<KIND>::value,
        STEP = 4 * DEPTH,
        DEPTHS = STEPS * STEP,
        GROUPS = DEPTHS / GROUP,
        STEPS_A_GROUP = STEPS / GROUPS
    };
    uint4 words[STEPS];
    float4 scales[GROUPS];
};

// Where a lane reads its codes: at half a panel, or nowhere.
struct HalfPanel {
    const u32 *words;
    const float *scales;
    bool exists;
};

template <int KIND>
__device__ __forceinline__ void load_slab(Slab<KIND> &slab, const HalfPanel &half, long index,
                                          long groups) {
    int t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < Slab<KIND>::GROUPS; i++) {
        long group = index * Slab<KIND>::GROUPS + i;
        bool use = half.exists && group < groups;
        slab.scales[i] = use ? *(const float4 *)(half.scales + group * PANEL) : make_float4(0, 0, 0, 0);
#pragma unroll
        for (int s = 0; s < Slab<KIND>::STEPS_A_GROUP; s++) {
            int step = i * Slab<KIND>::STEPS_A_GROUP + s;
            long depth = (index * STEPS + step) * 4 + t;
            slab.words[step] =
                use ? *(const uint4 *)(half.words + depth * PANEL) : make_uint4(0, 0, 0, 0);
        }
    }
}

// Bits of `word` from `from` on as those from `to` on.
__device__ __forceinline__ u32 moved_bits(u32 word, int from, int to) {
    return from < to ? word << (to - from) : word >> (from - to);
}

// Element `j` of a word. A code that is put into a float's fraction is a number without a conversion:
// 256 + 128 + level of int8, 128 + 8 + level of int4. A scale has at most 15 significant bits, so
// that taking the rest off again in one multiply-add leaves level * scale (include/weight.h).
template <int KIND>
__device__ __forceinline__ float element(u32 word, int j, float scale, const float *levels) {
    if (KIND == INT8) {
        u32 bits = (moved_bits(word ^ 0x80808080u, 8 * j, 15) & 0x007f8000u) | 0x43800000u;
        return fmaf(__uint_as_float(bits), scale, -384.0f * scale);
    }
    if (KIND == INT4) {
        u32 bits = (moved_bits(word, 4 * j, 16) & 0x000f0000u) | 0x43000000u;
        return fmaf(__uint_as_float(bits), scale, -136.0f * scale);
    }
    return fmaf(levels[word >> (4 * j) & 15], scale, 0.0f);
}

template <int KIND>
__device__ __forceinline__ u32 pair(u32 word, int j, float scale, const float *levels) {
    return pack_bf16(element<KIND>(word, j, scale, levels),
                     element<KIND>(word, j + 1, scale, levels));
}

// A lane's depths of a step in a row of x: one word's, so 8 or 16 bytes.
template <int KIND>
__device__ __forceinline__ uint4 row_depths(const bf16 *x, bool use) {
    if (!use) return make_uint4(0, 0, 0, 0);
    if (KIND != INT8) return *(const uint4 *)x;
    uint2 four = *(const uint2 *)x;
    return make_uint4(four.x, four.y, 0, 0);
}

// d[tile][j] += a step's products.
template <int KIND, int TILES>
__device__ __forceinline__ void add_step(float (&d)[TILES][4][4], uint4 words, float4 scales,
                                         const uint4 (&lows)[TILES], const uint4 (&highs)[TILES],
                                         const float *levels) {
    u32 word[4] = {words.x, words.y, words.z, words.w};
    float scale[4] = {scales.x, scales.y, scales.z, scales.w};
#pragma unroll
    for (int j = 0; j < 4; j++) {
        u32 b[2] = {pair<KIND>(word[j], 0, scale[j], levels),
                    pair<KIND>(word[j], 2, scale[j], levels)};
#pragma unroll
        for (int tile = 0; tile < TILES; tile++) {
            u32 a[4] = {lows[tile].x, highs[tile].x, lows[tile].y, highs[tile].y};
            mma_16x8x16(d[tile][j], a, b);
        }
        if (KIND == INT8) continue;
        u32 c[2] = {pair<KIND>(word[j], 4, scale[j], levels),
                    pair<KIND>(word[j], 6, scale[j], levels)};
#pragma unroll
        for (int tile = 0; tile < TILES; tile++) {
            u32 a[4] = {lows[tile].z, highs[tile].z, lows[tile].w, highs[tile].w};
            mma_16x8x16(d[tile][j], a, c);
        }
    }
}

// Results, as one of the two types; several splits' sums as f32 [splits, T, N].
struct Results {
    float *wide;
    const float *wide_bias;
    bf16 *narrow;
    const bf16 *narrow_bias;
};

__device__ __forceinline__ void store_result(const Results &results, long place, long n, float sum) {
    if (results.wide) {
        results.wide[place] = sum + (results.wide_bias ? results.wide_bias[n] : 0);
    } else {
        float bias = results.narrow_bias ? to_float(results.narrow_bias[n]) : 0;
        results.narrow[place] = from_float<bf16>(sum + bias);
    }
}

// y [T, N] = x [T, K] Wᵀ: T at most 16 TILES, K a multiple of 8. Grid (N / 32, splits).
template <int KIND, int TILES>
__device__ __forceinline__ void few_rows(long T, long N, long K, const bf16 *x, const u32 *words,
                                         const float *scales, Results results) {
    typedef Slab<KIND> Slab;
    enum { ROWS = 16 * TILES };
    __shared__ float sums[WARPS][ROWS][COLUMNS];
    __shared__ float levels[16];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, g = lane / 4, t = lane % 4;
    if (KIND == NF4) {
        if (threadIdx.x < 16) levels[threadIdx.x] = nf4_levels[threadIdx.x];
        __syncthreads();
    }
    long panel = (long)blockIdx.x * (COLUMNS / PANEL) + g / 2, groups = (K + GROUP - 1) / GROUP;
    HalfPanel half = {words + panel * panel_words<KIND>(K) + g % 2 * 4,
                      scales + panel * panel_scales(K) + g % 2 * 4, panel < (N + PANEL - 1) / PANEL};
    long slabs = (groups + Slab::GROUPS - 1) / Slab::GROUPS;
    long per_split = (slabs + gridDim.y - 1) / gridDim.y, first = blockIdx.y * per_split;
    long end = min(first + per_split, slabs);

    float d[TILES][4][4] = {};
    Slab next;
    long index = first + warp;
    if (index < end) load_slab(next, half, index, groups);
    for (; index < end; index += WARPS) {
        Slab slab = next;
        if (index + WARPS < end) load_slab(next, half, index + WARPS, groups);
        const bf16 *row = x + g * K;
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            long k = index * Slab::DEPTHS + step * Slab::STEP + t * Slab::DEPTH;
            uint4 lows[TILES], highs[TILES];
#pragma unroll
            for (int tile = 0; tile < TILES; tile++) {
                int low = 16 * tile + g;
                lows[tile] = row_depths<KIND>(row + 16 * tile * K + k, k < K && low < T);
                highs[tile] = row_depths<KIND>(row + (16 * tile + 8) * K + k, k < K && low + 8 < T);
            }
            add_step<KIND>(d, slab.words[step], slab.scales[step / Slab::STEPS_A_GROUP], lows, highs,
                           levels);
        }
    }
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float *target = &sums[warp][16 * tile + g + i / 2 * 8][8 * t + i % 2 * 4];
            *(float4 *)target =
                make_float4(d[tile][0][i], d[tile][1][i], d[tile][2][i], d[tile][3][i]);
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < T * COLUMNS; i += WARPS * WARP) {
        int r = i / COLUMNS, c = i % COLUMNS;
        long n = (long)blockIdx.x * COLUMNS + c;
        if (n >= N) continue;
        float sum = sums[0][r][c];
        for (int w = 1; w < WARPS; w++) sum += sums[w][r][c];
        store_result(results, ((long)blockIdx.y * T + r) * N + n, n, sum);
    }
}

#define FEW_ROWS(KIND_NAME, KIND, ROWS, TILES)                                                     \
    KERNEL __launch_bounds__(WARPS *WARP)                                                          \
    quantized_##KIND_NAME##_##ROWS##_rows(long T, long N, long K, const bf16 *x, const u32 *words, \
                                          const float *scales, float *wide,                        \
                                          const float *wide_bias, bf16 *narrow,                    \
                                          const bf16 *narrow_bias) {                               \
        few_rows<KIND, TILES>(T, N, K, x, words, scales, {wide, wide_bias, narrow, narrow_bias});  \
    }

FEW_ROWS(int8, INT8, 16, 1)
FEW_ROWS(int8, INT8, 32, 2)
FEW_ROWS(int4, INT4, 16, 1)
FEW_ROWS(int4, INT4, 32, 2)
FEW_ROWS(nf4, NF4, 16, 1)
FEW_ROWS(nf4, NF4, 32, 2)

// Adds the splits' sums [splits, T * N] in order. A thread has one result.
KERNEL __launch_bounds__(256)
quantized_join_splits(long splits, long count, long N, const float *sums, float *wide,
                      const float *wide_bias, bf16 *narrow, const bf16 *narrow_bias) {
    long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float sum = sums[i];
    for (long split = 1; split < splits; split++) sum += sums[split * count + i];
    store_result({wide, wide_bias, narrow, narrow_bias}, i, i % N, sum);
}
