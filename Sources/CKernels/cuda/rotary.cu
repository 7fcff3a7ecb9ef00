// Rotary position embedding: pairs (i, i + D/2) of every head of a token are turned by the token's
// angle (arXiv 2104.09864). A thread turns N pairs that lie side by side.
#include "prelude.cuh"

// N angles' cosines or sines, which are f32 beside any activation.
template <int N>
__device__ __forceinline__ void load_angles(const float *address, float (&values)[N]) {
    constexpr int M = N < 4 ? N : 4;
#pragma unroll
    for (int i = 0; i < N; i += M) {
        float part[M];
        load(address + i, part);
#pragma unroll
        for (int j = 0; j < M; j++) values[i + j] = part[j];
    }
}

// The pairs `item` * N and on: of all tokens, heads and halves of heads, in this order. Reads all
// of them before it writes one, so that y may be x.
template <int N, typename A>
__device__ __forceinline__ void turn_pairs(u32 item, u32 H, u32 half, const A *x,
                                           const int *positions, const float *cosines,
                                           const float *sines, float sign, A *y) {
    u32 packs = half / N, head = item / packs, i = (item - head * packs) * N;
    long first = (long)head * 2 * half + i, angle = (long)positions[head / H] * half + i;
    float a[N], b[N], c[N], s[N];
    load(x + first, a);
    load(x + first + half, b);
    load_angles(cosines + angle, c);
    load_angles(sines + angle, s);
#pragma unroll
    for (int j = 0; j < N; j++) {
        float before = a[j], turn = sign * s[j];
        a[j] = before * c[j] - b[j] * turn;
        b[j] = b[j] * c[j] + before * turn;
    }
    store(y + first, a);
    store(y + first + half, b);
}

// x, y [T, H, D]; positions [T]; cosines, sines [P, D/2]. `inverse` turns the other way: that is
// the backward pass. T * H * D/2 is below 2^32.
template <typename A>
__device__ __forceinline__ void rotary(long T, long H, long D, const A *x, const int *positions,
                                       const float *cosines, const float *sines, int inverse,
                                       A *y) {
    constexpr int N = pack_width<A, A>::value;
    float sign = inverse ? -1.0f : 1.0f;
    u32 half = (u32)D / 2, pairs = (u32)(T * H) * half;
    u32 thread = blockIdx.x * blockDim.x + threadIdx.x, threads = gridDim.x * blockDim.x;
    if (half % N == 0 && takes_packs<N>(x) && takes_packs<N>(y) && takes_packs<4>(cosines)
        && takes_packs<4>(sines)) {
        for (u32 i = thread; i < pairs / N; i += threads) {
            turn_pairs<N>(i, (u32)H, half, x, positions, cosines, sines, sign, y);
        }
    } else {
        for (u32 i = thread; i < pairs; i += threads) {
            turn_pairs<1>(i, (u32)H, half, x, positions, cosines, sines, sign, y);
        }
    }
}

KERNEL __launch_bounds__(256)
rotary_f32(long T, long H, long D, const float *x, const int *positions, const float *cosines,
           const float *sines, int inverse, float *y) {
    rotary(T, H, D, x, positions, cosines, sines, inverse, y);
}
KERNEL __launch_bounds__(256)
rotary_bf16(long T, long H, long D, const bf16 *x, const int *positions, const float *cosines,
            const float *sines, int inverse, bf16 *y) {
    rotary(T, H, D, x, positions, cosines, sines, inverse, y);
}
