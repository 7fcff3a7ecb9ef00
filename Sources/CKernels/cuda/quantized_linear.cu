// A quantised weight as dense rows, for products by the library.
#include "prelude.cuh"
#include "quantized_layout.cuh"

// Depth `j` of a word; `levels` are NF4's.
template <int KIND>
__device__ __forceinline__ float element(u32 word, int j, float scale, const float *levels) {
    if (KIND == NF4) return fmaf(levels[word >> (4 * j) & 15], scale, 0.0f);
    return dequantized(level<KIND>(word, j), scale);
}

// The elements of one word, at y[0 ..< count].
template <int KIND, int N, typename Y>
__device__ __forceinline__ void put_word(u32 word, float scale, long count, const float *levels,
                                         Y *y) {
    constexpr int DEPTH = word_depth<KIND>::value;
#pragma unroll
    for (int j = 0; j < DEPTH; j += N) {
        float values[N];
#pragma unroll
        for (int i = 0; i < N; i++) values[i] = element<KIND>(word, j + i, scale, levels);
        if (j < count) store(y + j, values);
    }
}

// y [rows, columns] = the rows first ..< first + rows of a weight of K columns, those from
// first_column on, a multiple of GROUP. A block takes words of one panel (grid.x), whose words a
// second dimension of blocks shares; neighbouring threads take the panel's rows in turn.
template <int KIND, typename Y>
__device__ __forceinline__ void dequantize(long rows, long columns, long K, long first,
                                           long first_column, const u32 *words,
                                           const float *scales, Y *y) {
    constexpr int DEPTH = word_depth<KIND>::value, MOST = 16 / sizeof(Y);
    constexpr int N = DEPTH < MOST ? DEPTH : MOST;
    // Constant memory serves one place at a time: lanes that look up different ones wait in turns.
    __shared__ float levels[16];
    if (KIND == NF4) {
        if (threadIdx.x < 16) levels[threadIdx.x] = nf4_levels[threadIdx.x];
        __syncthreads();
    }
    long panel = first / PANEL + blockIdx.x, count = panel_words<KIND>(columns);
    bool packs = columns % DEPTH == 0 && takes_packs<N>(y);
    words += panel * panel_words<KIND>(K) + first_column / DEPTH * PANEL;
    scales += panel * panel_scales(K) + first_column / GROUP * PANEL;
    for (long i = (long)blockIdx.y * blockDim.x + threadIdx.x; i < count;
         i += (long)gridDim.y * blockDim.x) {
        long row = panel * PANEL + i % PANEL - first, k = i / PANEL * DEPTH;
        if (row < 0 || row >= rows || k >= columns) continue;
        float scale = scales[k / GROUP * PANEL + i % PANEL];
        Y *target = y + row * columns + k;
        if (packs) {
            put_word<KIND, N>(words[i], scale, DEPTH, levels, target);
        } else {
            put_word<KIND, 1>(words[i], scale, columns - k, levels, target);
        }
    }
}

#define DEQUANTIZE(name, KIND, Y)                                                                  \
    KERNEL __launch_bounds__(256)                                                                  \
    dequantize_##name(long rows, long columns, long K, long first, long first_column,              \
                      const u32 *words, const float *scales, Y *y) {                               \
        dequantize<KIND>(rows, columns, K, first, first_column, words, scales, y);                 \
    }

DEQUANTIZE(int8_f32, INT8, float)
DEQUANTIZE(int8_bf16, INT8, bf16)
DEQUANTIZE(int4_f32, INT4, float)
DEQUANTIZE(int4_bf16, INT4, bf16)
DEQUANTIZE(nf4_f32, NF4, float)
DEQUANTIZE(nf4_bf16, NF4, bf16)
