// Sums, conversions and scalings of flat buffers, and the sum of squares. Every element but of the
// last is computed alone.
#include "prelude.cuh"

// This thread's number in the whole grid, and how many there are.
#define GRID_THREAD ((long)blockIdx.x * blockDim.x + threadIdx.x)
#define GRID_THREADS ((long)gridDim.x * blockDim.x)

// MARK: Element by element

template <int N, typename X, typename Y, typename Z>
__device__ __forceinline__ void add_at(long i, const X *a, const Y *b, Z *y) {
    float first[N], second[N];
    load(a + i, first);
    load(b + i, second);
#pragma unroll
    for (int j = 0; j < N; j++) first[j] += second[j];
    store(y + i, first);
}

template <int N, typename X, typename Y>
__device__ __forceinline__ void convert_at(long i, const X *x, Y *y) {
    float values[N];
    load(x + i, values);
    store(y + i, values);
}

// y = a + b, summed in f32; y may be a or b. y has a's type.
#define ADD(name, X, Y)                                                                            \
    KERNEL __launch_bounds__(256) add_##name(long n, const X *a, const Y *b, X *y) {               \
        constexpr int N = pack_width<X, Y>::value;                                                 \
        bool packs = takes_packs<N>(a) && takes_packs<N>(b) && takes_packs<N>(y);                  \
        long count = packs ? n / N : 0;                                                            \
        for (long i = GRID_THREAD; i < count; i += GRID_THREADS) add_at<N>(i * N, a, b, y);        \
        for (long i = count * N + GRID_THREAD; i < n; i += GRID_THREADS) add_at<1>(i, a, b, y);    \
    }

ADD(f32_f32, float, float)
ADD(f32_bf16, float, bf16)
ADD(bf16_bf16, bf16, bf16)
ADD(bf16_f32, bf16, float)

// y = x, rounded to nearest even where y is narrower.
#define CONVERT(name, X, Y)                                                                        \
    KERNEL __launch_bounds__(256) convert_##name(long n, const X *x, Y *y) {                       \
        constexpr int N = pack_width<X, Y>::value;                                                 \
        long count = takes_packs<N>(x) && takes_packs<N>(y) ? n / N : 0;                           \
        for (long i = GRID_THREAD; i < count; i += GRID_THREADS) convert_at<N>(i * N, x, y);       \
        for (long i = count * N + GRID_THREAD; i < n; i += GRID_THREADS) convert_at<1>(i, x, y);   \
    }

CONVERT(f32_bf16, float, bf16)
CONVERT(bf16_f32, bf16, float)

// y = value
#define FILL(name, Y)                                                                              \
    KERNEL __launch_bounds__(256) fill_##name(long n, float value, Y *y) {                         \
        constexpr int N = pack_width<Y, Y>::value;                                                 \
        float values[N];                                                                           \
        for (int j = 0; j < N; j++) values[j] = value;                                             \
        long count = takes_packs<N>(y) ? n / N : 0;                                                \
        for (long i = GRID_THREAD; i < count; i += GRID_THREADS) store(y + i * N, values);         \
        for (long i = count * N + GRID_THREAD; i < n; i += GRID_THREADS) {                         \
            y[i] = from_float<Y>(value);                                                           \
        }                                                                                          \
    }

FILL(f32, float)
FILL(bf16, bf16)

// y *= factor
KERNEL __launch_bounds__(256) scale_f32(long n, float factor, float *y) {
    long count = takes_packs<4>(y) ? n / 4 : 0;
    for (long i = GRID_THREAD; i < count; i += GRID_THREADS) {
        float values[4];
        load(y + i * 4, values);
        for (int j = 0; j < 4; j++) values[j] *= factor;
        store(y + i * 4, values);
    }
    for (long i = count * 4 + GRID_THREAD; i < n; i += GRID_THREADS) y[i] *= factor;
}

// MARK: Sum of squares, in f64 and in one order: a block sums a run of the elements, a second
// launch of one block the runs' sums.

// The sum over the block's 256 threads, in thread 0.
__device__ __forceinline__ double block_sum_f64(double x, double *sums) {
    sums[threadIdx.x] = x;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    return sums[0];
}

// partials[block] = sum of the squares of x[block * run ..< (block + 1) * run]; run is a multiple
// of 4.
KERNEL __launch_bounds__(256)
sum_of_squares_partials(long n, long run, const float *x, double *partials) {
    __shared__ double sums[256];
    long begin = blockIdx.x * run, end = min(begin + run, n);
    long packed = takes_packs<4>(x) ? begin + (end - begin) / 4 * 4 : begin;
    double sum = 0;
    for (long i = begin + threadIdx.x * 4; i < packed; i += blockDim.x * 4) {
        float values[4];
        load(x + i, values);
#pragma unroll
        for (int j = 0; j < 4; j++) sum += (double)values[j] * (double)values[j];
    }
    for (long i = packed + threadIdx.x; i < end; i += blockDim.x) {
        sum += (double)x[i] * (double)x[i];
    }
    sum = block_sum_f64(sum, sums);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// total[0] = the sum of the partials [P].
KERNEL __launch_bounds__(256) sum_of_partials(long P, const double *partials, double *total) {
    __shared__ double sums[256];
    double sum = 0;
    for (long p = threadIdx.x; p < P; p += blockDim.x) sum += partials[p];
    sum = block_sum_f64(sum, sums);
    if (threadIdx.x == 0) total[0] = sum;
}
