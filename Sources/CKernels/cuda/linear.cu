// What a linear layer needs beside the products, which a library computes.
#include "prelude.cuh"

enum { PARTS = 32 };

// dbias[n] += sum_m dy[m, n]: a block of 32 x 32 threads takes 32 columns, the rows in turn; their
// sums are added in one order. There are few blocks: many reads of each are under way at a time.
template <typename X>
__device__ __forceinline__ void backward_bias(long M, long N, const X *dy, float *dbias) {
    __shared__ float sums[PARTS][WARP];
    int lane = threadIdx.x % WARP, part = threadIdx.x / WARP;
    long n = (long)blockIdx.x * WARP + lane;
    float sum = 0;
    if (n < N) {
#pragma unroll 8
        for (long m = part; m < M; m += PARTS) sum += to_float(dy[m * N + n]);
    }
    sums[part][lane] = sum;
    __syncthreads();
    if (part > 0 || n >= N) return;
    for (int other = 1; other < PARTS; other++) sum += sums[other][lane];
    dbias[n] += sum;
}

KERNEL __launch_bounds__(PARTS *WARP)
linear_backward_bias_f32(long M, long N, const float *dy, float *dbias) {
    backward_bias(M, N, dy, dbias);
}
KERNEL __launch_bounds__(PARTS *WARP)
linear_backward_bias_bf16(long M, long N, const bf16 *dy, float *dbias) {
    backward_bias(M, N, dy, dbias);
}

// y[m, n] += bias[n] for the columns first ..< first + columns, a thread an element.
template <typename X>
__device__ __forceinline__ void add_bias(long M, long N, long first, long columns, const X *bias,
                                         X *y) {
    long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= M * columns) return;
    long n = first + i % columns;
    X *target = y + i / columns * N + n;
    *target = from_float<X>(to_float(*target) + to_float(bias[n]));
}

KERNEL __launch_bounds__(256)
linear_add_bias_f32(long M, long N, long first, long columns, const float *bias, float *y) {
    add_bias(M, N, first, columns, bias, y);
}
KERNEL __launch_bounds__(256)
linear_add_bias_bf16(long M, long N, long first, long columns, const bf16 *bias, bf16 *y) {
    add_bias(M, N, first, columns, bias, y);
}
