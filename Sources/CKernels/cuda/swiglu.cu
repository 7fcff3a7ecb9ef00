// silu(gate) * up (arXiv 2002.05202) and its two gradients, element by element.
#include "prelude.cuh"

// Elements i ..< i + N. All are read before one is written: results may lie where inputs do.
template <int N, typename A>
__device__ __forceinline__ void forward_at(long i, const A *gate, const A *up, A *y) {
    float g[N], u[N];
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < N; j++) u[j] *= g[j] / (1.0f + exp_approximate(-g[j]));
    store(y + i, u);
}

// silu'(g) = s (1 + g (1 - s)), s = sigmoid(g)
template <int N, typename A>
__device__ __forceinline__ void backward_at(long i, const A *dy, const A *gate, const A *up,
                                            A *dgate, A *dup) {
    float d[N], g[N], u[N];
    load(dy + i, d);
    load(gate + i, g);
    load(up + i, u);
#pragma unroll
    for (int j = 0; j < N; j++) {
        float s = 1.0f / (1.0f + exp_approximate(-g[j])), slope = s * (1.0f + g[j] * (1.0f - s));
        u[j] = d[j] * u[j] * slope;
        d[j] = d[j] * g[j] * s;
    }
    store(dgate + i, u);
    store(dup + i, d);
}

// y = gate / (1 + exp(-gate)) * up; y may be gate or up.
template <typename A>
__device__ __forceinline__ void swiglu_forward(long n, const A *gate, const A *up, A *y) {
    constexpr int N = pack_width<A, A>::value;
    long thread = (long)blockIdx.x * blockDim.x + threadIdx.x;
    long threads = (long)gridDim.x * blockDim.x;
    bool packs = takes_packs<N>(gate) && takes_packs<N>(up) && takes_packs<N>(y);
    long count = packs ? n / N : 0;
    for (long i = thread; i < count; i += threads) forward_at<N>(i * N, gate, up, y);
    for (long i = count * N + thread; i < n; i += threads) forward_at<1>(i, gate, up, y);
}

// dgate and dup receive; either may be dy, gate or up.
template <typename A>
__device__ __forceinline__ void swiglu_backward(long n, const A *dy, const A *gate, const A *up,
                                                A *dgate, A *dup) {
    constexpr int N = pack_width<A, A>::value;
    long thread = (long)blockIdx.x * blockDim.x + threadIdx.x;
    long threads = (long)gridDim.x * blockDim.x;
    bool packs = takes_packs<N>(dy) && takes_packs<N>(gate) && takes_packs<N>(up)
        && takes_packs<N>(dgate) && takes_packs<N>(dup);
    long count = packs ? n / N : 0;
    for (long i = thread; i < count; i += threads) backward_at<N>(i * N, dy, gate, up, dgate, dup);
    for (long i = count * N + thread; i < n; i += threads) {
        backward_at<1>(i, dy, gate, up, dgate, dup);
    }
}

#define INSTANCES(name, A)                                                                         \
    KERNEL __launch_bounds__(256)                                                                  \
    swiglu_forward_##name(long n, const A *gate, const A *up, A *y) {                              \
        swiglu_forward(n, gate, up, y);                                                            \
    }                                                                                              \
    KERNEL __launch_bounds__(256)                                                                  \
    swiglu_backward_##name(long n, const A *dy, const A *gate, const A *up, A *dgate, A *dup) {    \
        swiglu_backward(n, dy, gate, up, dgate, dup);                                              \
    }

INSTANCES(f32, float)
INSTANCES(bf16, bf16)
