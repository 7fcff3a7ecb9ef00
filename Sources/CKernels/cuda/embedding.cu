// Token embedding: rows of a table, dense or quantised, one block a row. Backward: a block owns one
// row of the table's gradient and adds up, in the order of t, what the places that chose it give;
// no two blocks write the same element.
#include "prelude.cuh"
#include "quantized_layout.cuh"

// MARK: Forward

template <int N, typename X, typename Y>
__device__ __forceinline__ void copy_row(long D, const X *x, Y *y) {
    for (long d = threadIdx.x * N; d < D; d += blockDim.x * N) {
        float values[N];
        load(x + d, values);
        store(y + d, values);
    }
}

// y[t, :] = table[tokens[t], :], t the block.
template <typename X, typename Y>
__device__ __forceinline__ void embedding_forward(long D, const int *tokens, const X *table, Y *y) {
    constexpr int N = pack_width<X, Y>::value;
    const X *source = table + (long)tokens[blockIdx.x] * D;
    Y *target = y + (long)blockIdx.x * D;
    if (D % N == 0 && takes_packs<N>(table) && takes_packs<N>(y)) {
        copy_row<N>(D, source, target);
    } else {
        copy_row<1>(D, source, target);
    }
}

#define FORWARD(name, X, Y)                                                                        \
    KERNEL __launch_bounds__(256)                                                                  \
    embedding_forward_##name(long D, const int *tokens, const X *table, Y *y) {                    \
        embedding_forward(D, tokens, table, y);                                                    \
    }

FORWARD(f32_f32, float, float)
FORWARD(bf16_f32, bf16, float)
FORWARD(bf16_bf16, bf16, bf16)

// MARK: Of a quantised table

// A thread takes a word: 4 or 8 depths of the row.
template <int KIND, typename Y>
__device__ __forceinline__ void embedding_forward_quantised(long D, const int *tokens,
                                                            const u32 *words, const float *scales,
                                                            Y *y) {
    constexpr int DEPTH = word_depth<KIND>::value;
    long token = tokens[blockIdx.x];
    words += token / PANEL * panel_words<KIND>(D) + token % PANEL;
    scales += token / PANEL * panel_scales(D) + token % PANEL;
    y += (long)blockIdx.x * D;
    for (long d = threadIdx.x * DEPTH; d < D; d += blockDim.x * DEPTH) {
        u32 word = words[d / DEPTH * PANEL];
        float scale = scales[d / GROUP * PANEL];
#pragma unroll
        for (int j = 0; j < DEPTH; j++) {
            if (d + j < D) y[d + j] = from_float<Y>(dequantized(level<KIND>(word, j), scale));
        }
    }
}

#define QUANTISED(name, KIND, Y)                                                                   \
    KERNEL __launch_bounds__(256)                                                                  \
    embedding_forward_##name(long D, const int *tokens, const u32 *words, const float *scales,     \
                             Y *y) {                                                               \
        embedding_forward_quantised<KIND>(D, tokens, words, scales, y);                            \
    }

QUANTISED(int8_f32, INT8, float)
QUANTISED(int8_bf16, INT8, bf16)
QUANTISED(int4_f32, INT4, float)
QUANTISED(int4_bf16, INT4, bf16)
QUANTISED(nf4_f32, NF4, float)
QUANTISED(nf4_bf16, NF4, bf16)

// MARK: Backward

template <int N, typename X, typename Y>
__device__ __forceinline__ void add_places(long D, long begin, long end, const int *places,
                                           const X *dy, Y *dtable) {
    for (long d = threadIdx.x * N; d < D; d += blockDim.x * N) {
        float sum[N] = {}, values[N];
#pragma unroll 4
        for (long i = begin; i < end; i++) {
            load(dy + (long)places[i] * D + d, values);
#pragma unroll
            for (int j = 0; j < N; j++) sum[j] += values[j];
        }
        load(dtable + d, values);
#pragma unroll
        for (int j = 0; j < N; j++) sum[j] += values[j];
        store(dtable + d, sum);
    }
}

// dtable[rows[u], :] += the sum of dy[places[i], :] over starts[u] <= i < starts[u + 1], u the
// block; the rows are all different.
template <typename X, typename Y>
__device__ __forceinline__ void embedding_backward(long D, const int *rows, const int *starts,
                                                   const int *places, const X *dy, Y *dtable) {
    constexpr int N = pack_width<X, Y>::value;
    long begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
    Y *target = dtable + (long)rows[blockIdx.x] * D;
    if (D % N == 0 && takes_packs<N>(dy) && takes_packs<N>(dtable)) {
        add_places<N>(D, begin, end, places, dy, target);
    } else {
        add_places<1>(D, begin, end, places, dy, target);
    }
}

#define BACKWARD(name, X, Y)                                                                       \
    KERNEL __launch_bounds__(256)                                                                  \
    embedding_backward_##name(long D, const int *rows, const int *starts, const int *places,       \
                              const X *dy, Y *dtable) {                                            \
        embedding_backward(D, rows, starts, places, dy, dtable);                                   \
    }

BACKWARD(f32_f32, float, float)
BACKWARD(bf16_f32, bf16, float)
BACKWARD(bf16_bf16, bf16, bf16)
