// RMSNorm (arXiv 1910.07467). A row belongs to one warp, or to a whole block where it is long; it
// is reduced alone and in an order that depends on its length and threads only. Its second reading
// comes from the cache, so that memory is read once.
//
// Types: x and its gradient X; weight, y and its gradient A. Sums and rstd are f32.
#include "prelude.cuh"

// Which row the calling thread works on, and which of the row's threads it is. `row_threads` is
// WARP, with a row for each warp of the block, or blockDim.x.
struct row_place {
    long row;
    int thread, threads;
};

__device__ __forceinline__ row_place place_of(int row_threads) {
    row_place place;
    place.threads = row_threads;
    place.thread = threadIdx.x % row_threads;
    place.row = (long)blockIdx.x * (blockDim.x / row_threads) + threadIdx.x / row_threads;
    return place;
}

// The sum over the threads of a row.
__device__ __forceinline__ float row_sum(float x, row_place place, float *scratch) {
    return place.threads == WARP ? warp_sum(x) : block_sum(x, scratch);
}

// MARK: Forward

template <int N, typename X, typename A>
__device__ __forceinline__ void normalise_row(row_place place, long D, const X *x, const A *weight,
                                              float epsilon, A *y, float *rstd, float *scratch) {
    x += place.row * D;
    y += place.row * D;
    float sum = 0;
    for (long d = place.thread * N; d < D; d += place.threads * N) {
        float values[N];
        load(x + d, values);
#pragma unroll
        for (int i = 0; i < N; i++) sum += values[i] * values[i];
    }
    float r = 1.0f / sqrtf(row_sum(sum, place, scratch) / (float)D + epsilon);
    for (long d = place.thread * N; d < D; d += place.threads * N) {
        float values[N], factors[N];
        load(x + d, values);
        load(weight + d, factors);
#pragma unroll
        for (int i = 0; i < N; i++) values[i] = values[i] * r * factors[i];
        store(y + d, values);
    }
    if (rstd != nullptr && place.thread == 0) rstd[place.row] = r;
}

// y[t, d] = x[t, d] r weight[d], r = 1 / sqrt(mean_d x[t, d]^2 + epsilon). y may be x.
template <typename X, typename A>
__device__ __forceinline__ void rms_norm_forward(long T, long D, const X *x, const A *weight,
                                                 float epsilon, A *y, float *rstd,
                                                 int row_threads) {
    __shared__ float scratch[WARP];
    constexpr int N = pack_width<X, A>::value;
    row_place place = place_of(row_threads);
    if (place.row >= T) return;
    if (D % N == 0 && takes_packs<N>(x) && takes_packs<N>(weight) && takes_packs<N>(y)) {
        normalise_row<N>(place, D, x, weight, epsilon, y, rstd, scratch);
    } else {
        normalise_row<1>(place, D, x, weight, epsilon, y, rstd, scratch);
    }
}

// MARK: Backward

// dx = r (g - x r^2 mean_d(g x)), g = dy weight
template <int N, typename X, typename A>
__device__ __forceinline__ void differentiate_row(row_place place, long D, const A *dy, const X *x,
                                                  const float *rstd, const A *weight, X *dx,
                                                  int accumulate, float *scratch) {
    dy += place.row * D;
    x += place.row * D;
    dx += place.row * D;
    float r = rstd[place.row], sum = 0;
    for (long d = place.thread * N; d < D; d += place.threads * N) {
        float slopes[N], values[N], factors[N];
        load(dy + d, slopes);
        load(x + d, values);
        load(weight + d, factors);
#pragma unroll
        for (int i = 0; i < N; i++) sum += slopes[i] * factors[i] * values[i];
    }
    float factor = row_sum(sum, place, scratch) / (float)D * r * r;
    for (long d = place.thread * N; d < D; d += place.threads * N) {
        float slopes[N], values[N], factors[N], result[N] = {};
        load(dy + d, slopes);
        load(x + d, values);
        load(weight + d, factors);
        if (accumulate) load(dx + d, result);
#pragma unroll
        for (int i = 0; i < N; i++) {
            result[i] += r * (slopes[i] * factors[i] - values[i] * factor);
        }
        store(dx + d, result);
    }
}

// dx receives the gradient by x, or has it added where `accumulate`.
template <typename X, typename A>
__device__ __forceinline__ void rms_norm_backward(long T, long D, const A *dy, const X *x,
                                                  const float *rstd, const A *weight, X *dx,
                                                  int accumulate, int row_threads) {
    __shared__ float scratch[WARP];
    constexpr int N = pack_width<X, A>::value;
    row_place place = place_of(row_threads);
    if (place.row >= T) return;
    bool packs = D % N == 0 && takes_packs<N>(dy) && takes_packs<N>(x) && takes_packs<N>(weight)
        && takes_packs<N>(dx);
    if (packs) {
        differentiate_row<N>(place, D, dy, x, rstd, weight, dx, accumulate, scratch);
    } else {
        differentiate_row<1>(place, D, dy, x, rstd, weight, dx, accumulate, scratch);
    }
}

// The weight's gradient in two stages of fixed order. First, blockIdx.y being a run of `run` rows,
// partials[blockIdx.y, d] = sum of dy[t, d] x[t, d] rstd[t] over its rows; a thread has one column.
template <typename X, typename A>
__device__ __forceinline__ void rms_norm_weight_partials(long T, long D, long run, const A *dy,
                                                         const X *x, const float *rstd,
                                                         float *partials) {
    long d = (long)blockIdx.x * blockDim.x + threadIdx.x;
    long begin = blockIdx.y * run, end = min(begin + run, T);
    if (d >= D) return;
    float sum = 0;
#pragma unroll 8
    for (long t = begin; t < end; t++) {
        sum += to_float(dy[t * D + d]) * (to_float(x[t * D + d]) * rstd[t]);
    }
    partials[blockIdx.y * D + d] = sum;
}

// Then dweight[d] += the sum of the partials [P, D], in their order.
KERNEL __launch_bounds__(256)
rms_norm_weight_sum(long P, long D, const float *partials, float *dweight) {
    long d = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (d >= D) return;
    float sum = 0;
#pragma unroll 16
    for (long p = 0; p < P; p++) sum += partials[p * D + d];
    dweight[d] += sum;
}

#define INSTANCES(name, X, A)                                                                      \
    KERNEL __launch_bounds__(256)                                                                  \
    rms_norm_forward_##name(long T, long D, const X *x, const A *weight, float epsilon, A *y,      \
                            float *rstd, int row_threads) {                                        \
        rms_norm_forward(T, D, x, weight, epsilon, y, rstd, row_threads);                          \
    }                                                                                              \
    KERNEL __launch_bounds__(256)                                                                  \
    rms_norm_backward_##name(long T, long D, const A *dy, const X *x, const float *rstd,           \
                             const A *weight, X *dx, int accumulate, int row_threads) {            \
        rms_norm_backward(T, D, dy, x, rstd, weight, dx, accumulate, row_threads);                 \
    }                                                                                              \
    KERNEL __launch_bounds__(256)                                                                  \
    rms_norm_weight_partials_##name(long T, long D, long run, const A *dy, const X *x,             \
                                    const float *rstd, float *partials) {                          \
        rms_norm_weight_partials(T, D, run, dy, x, rstd, partials);                                \
    }

INSTANCES(f32_f32, float, float)
INSTANCES(f32_bf16, float, bf16)
INSTANCES(bf16_bf16, bf16, bf16)
