// The part of `prelude.cuh` that is inline assembly on a device. Read by it in that part's place.
#pragma once

#include "block.h"

// Nobody looks for kernels by their symbols here, and one that is not registered is a warning.
#define KERNEL static void

#define DYNAMIC_SHARED(type, name) type *name = (type *)emulator::dynamic_shared

template <typename T> T from_float(float x);
template <> inline float from_float<float>(float x) { return x; }
template <> inline bf16 from_float<bf16>(float x) {
    u32 bits = __float_as_uint(x);
    if (x != x) return {0x7fff};
    return {(u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

inline u32 pack_bf16(float low, float high) {
    return from_float<bf16>(low).bits | (u32)from_float<bf16>(high).bits << 16;
}

inline float exp2_approximate(float x) {
    float y = exp2f(x);
    return y < 1.17549435e-38f ? 0 : y;
}

void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2]);
void load_matrices(u32 words[4], const bf16 *row);
void load_matrices_transposed(u32 words[4], const bf16 *row);

inline void copy_async_16(void *shared, const void *global, int use = 1) {
    emulator::copy_later(shared, global, use != 0);
}
inline void copy_async_commit() { emulator::commit_copies(); }
template <int N> inline void copy_async_wait() { emulator::wait_for_copies(N); }
