// What every CUDA kernel here is written in: types, warp sums, tensor-core products, asynchronous
// copies. No vendor header is read, so that NVRTC needs none (see Architecture.md).
//
// All that is not plain C++ goes through this file: a kernel has no inline assembly of its own and
// exchanges between the lanes of a warp by these functions alone. So the same kernel text also runs
// on a CPU, where other definitions take the place of inline assembly (Tests/CUDAEmulator).
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef int i32;

enum { WARP = 32 };

// MARK: Numbers

// 16 bits: the upper half of an f32.
struct bf16 {
    u16 bits;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

// MARK: What is not plain C++

#ifdef EMULATED_DEVICE
#include "emulated_prelude.h"
#else

// Kernels are found by name. `long` has 64 bits on both sides.
#define KERNEL extern "C" __global__ void

// A member that lets an emulator check the alignment of what is copied.
#define CHECKED_COPY

// Rounded to nearest even.
template <typename T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

// Two bf16 in one word, `low` in the lower half: what tensor-core products take.
__device__ __forceinline__ u32 pack_bf16(float low, float high) {
    u32 y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

// 2^x within 2 units of the last place; 0 where that is below the least normal number.
__device__ __forceinline__ float exp2_approximate(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// MARK: Tensor cores

// d [16, 8] += a [16, 16] b [16, 8] in bf16 with f32 sums, by one warp. Lane l, g = l / 4, t = l % 4:
//   a[0] row g,     columns 2t, 2t+1     a[2] row g,     columns 2t+8, 2t+9
//   a[1] row g + 8, columns 2t, 2t+1     a[3] row g + 8, columns 2t+8, 2t+9
//   b[0] rows 2t, 2t+1, column g         b[1] rows 2t+8, 2t+9, column g
//   d[0], d[1] row g, columns 2t, 2t+1   d[2], d[3] row g + 8, columns 2t, 2t+1
__device__ __forceinline__ void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 x 8 matrices of bf16 from shared memory: lane l names the 16 bytes of row l % 8 of matrix
// l / 8. Word i of lane l is then of matrix i, row l / 4, columns 2 (l % 4) and the next.
__device__ __forceinline__ void load_matrices(u32 words[4], const bf16 *row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address) : "memory");
}
// The same with each matrix transposed: word i of lane l is of matrix i, rows 2 (l % 4) and the
// next, column l / 4.
__device__ __forceinline__ void load_matrices_transposed(u32 words[4], const bf16 *row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address) : "memory");
}

// MARK: Shared memory

// The shared memory that the launch asks for, as an array of `type`, 128-byte aligned.
extern __shared__ __align__(128) u8 dynamic_shared_memory[];
#define DYNAMIC_SHARED(type, name) type *name = (type *)dynamic_shared_memory

// 16 bytes from global to shared memory without passing through registers; both are 16-byte aligned.
// Where `use` is false, zeros are written and nothing is read.
__device__ __forceinline__ void copy_async_16(void *shared, const void *global, int use = 1) {
    u32 address = (u32)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(address), "l"(global), "r"(use ? 16 : 0) : "memory");
}
// Ends a group of copies.
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `N` of this thread's groups are under way; others' are seen after a
// __syncthreads().
template <int N> __device__ __forceinline__ void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory");
}

#endif  // EMULATED_DEVICE

// exp(x) in two instructions, within about 2 + |x| units of the last place; 0 where that is below
// the least normal number.
__device__ __forceinline__ float exp_approximate(float x) {
    const float log2_e = 1.4426950408889634f;
    return exp2_approximate(x * log2_e);
}

// MARK: Several numbers at a time

// N numbers of type T that one access moves: at most 16 bytes, aligned to their size.
template <typename T, int N> struct alignas(sizeof(T) * N) pack {
    static_assert(sizeof(T) * N <= 16, "One access moves 16 bytes at most.");
    T values[N];
    CHECKED_COPY
};

// How many numbers fit one access where types T and U lie side by side.
template <typename T, typename U> struct pack_width {
    static constexpr int value = 16 / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));
};

// Whether packs of N can be read from `address` on.
template <int N, typename T> __device__ __forceinline__ bool takes_packs(const T *address) {
    return (u64)address % (sizeof(T) * N) == 0;
}

template <typename T, int N>
__device__ __forceinline__ void load(const T *address, float (&values)[N]) {
    pack<T, N> loaded = *(const pack<T, N> *)address;
#pragma unroll
    for (int i = 0; i < N; i++) values[i] = to_float(loaded.values[i]);
}

template <typename T, int N>
__device__ __forceinline__ void store(T *address, const float (&values)[N]) {
    pack<T, N> rounded;
#pragma unroll
    for (int i = 0; i < N; i++) rounded.values[i] = from_float<T>(values[i]);
    *(pack<T, N> *)address = rounded;
}
template <int N> __device__ __forceinline__ void store(bf16 *address, const float (&values)[N]) {
    if constexpr (N == 1) {
        *address = from_float<bf16>(values[0]);
    } else {
        pack<u32, N / 2> rounded;
#pragma unroll
        for (int i = 0; i < N / 2; i++) {
            rounded.values[i] = pack_bf16(values[2 * i], values[2 * i + 1]);
        }
        *(pack<u32, N / 2> *)address = rounded;
    }
}

// MARK: Warps. All 32 lanes call these together.

__device__ __forceinline__ float lane_exchange(float x, int mask) {
    return __shfl_xor_sync(~0u, x, mask);
}
__device__ __forceinline__ u32 lane_exchange(u32 x, int mask) {
    return __shfl_xor_sync(~0u, x, mask);
}
// The value of `lane`.
__device__ __forceinline__ float lane_value(float x, int lane) {
    return __shfl_sync(~0u, x, lane);
}
__device__ __forceinline__ u32 lane_value(u32 x, int lane) { return __shfl_sync(~0u, x, lane); }
// Bit i tells whether lane i has a true `x`.
__device__ __forceinline__ u32 lanes_where(int x) { return __ballot_sync(~0u, x); }
__device__ __forceinline__ void sync_warp() { __syncwarp(); }

// The same in every lane: the sum is taken in one fixed order.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
    for (int mask = WARP / 2; mask > 0; mask /= 2) x += lane_exchange(x, mask);
    return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int mask = WARP / 2; mask > 0; mask /= 2) x = fmaxf(x, lane_exchange(x, mask));
    return x;
}

// MARK: Blocks

// The sum over all threads of the block, the same in each; `scratch` has room for one float a warp.
// All threads call it together.
__device__ __forceinline__ float block_sum(float x, float *scratch) {
    x = warp_sum(x);
    int warps = (blockDim.x + WARP - 1) / WARP;
    __syncthreads();
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    float sum = 0;
    for (int warp = 0; warp < warps; warp++) sum += scratch[warp];
    return sum;
}
__device__ __forceinline__ float block_max(float x, float *scratch) {
    x = warp_max(x);
    int warps = (blockDim.x + WARP - 1) / WARP;
    __syncthreads();
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    float most = scratch[0];
    for (int warp = 1; warp < warps; warp++) most = fmaxf(most, scratch[warp]);
    return most;
}
