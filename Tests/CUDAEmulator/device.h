// What CUDA's C++ has and C++ has not, as far as our kernels use it. Read before `prelude.cuh`.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "block.h"

#define EMULATED_DEVICE 1

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
// One block runs at a time. In a section of its own, so that it can be poisoned before each block.
#if defined(__APPLE__)
#define __shared__ static __attribute__((section("__DATA,emulated_shared")))
#else
#define __shared__ static __attribute__((section("emulated_shared")))
#endif

// MARK: Vectors

namespace emulator {
// A member of what is copied by one access: such a copy is of a reference then, and the compiler has
// its alignment checked (see behaviour.cpp).
struct CheckedCopy {
    CheckedCopy() = default;
    CheckedCopy(const CheckedCopy &) {}
    CheckedCopy &operator=(const CheckedCopy &) { return *this; }
};
}  // namespace emulator
#define CHECKED_COPY [[no_unique_address]] emulator::CheckedCopy is_checked = {};

#define VECTOR_TYPES(name, scalar)                                                         \
    struct alignas(2 * sizeof(scalar)) name##2 { scalar x, y; CHECKED_COPY };              \
    struct alignas(4 * sizeof(scalar)) name##4 { scalar x, y, z, w; CHECKED_COPY };        \
    inline name##2 make_##name##2(scalar x, scalar y) { return {x, y}; }                   \
    inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
VECTOR_TYPES(float, float)
VECTOR_TYPES(int, int)
VECTOR_TYPES(uint, unsigned)
#undef VECTOR_TYPES

using dim3 = emulator::Dimensions;

// MARK: Numbers

inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}
inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}
inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }
inline int __float_as_int(float x) { return (int)__float_as_uint(x); }
inline int __float2int_rn(float x) { return (int)nearbyintf(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
inline int __ffs(int x) { return __builtin_ffs(x); }

#define LEAST_AND_MOST(type)                                          \
    inline type min(type a, type b) { return b < a ? b : a; }         \
    inline type max(type a, type b) { return a < b ? b : a; }
LEAST_AND_MOST(int)
LEAST_AND_MOST(unsigned)
LEAST_AND_MOST(long)
LEAST_AND_MOST(unsigned long)
LEAST_AND_MOST(long long)
LEAST_AND_MOST(unsigned long long)
#undef LEAST_AND_MOST
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }

// MARK: Blocks and warps

inline void __syncthreads() { emulator::sync_block(); }
void __syncwarp();
float __shfl_sync(unsigned lanes, float x, int lane);
unsigned __shfl_sync(unsigned lanes, unsigned x, int lane);
float __shfl_xor_sync(unsigned lanes, float x, int mask);
unsigned __shfl_xor_sync(unsigned lanes, unsigned x, int mask);
unsigned __ballot_sync(unsigned lanes, int predicate);
