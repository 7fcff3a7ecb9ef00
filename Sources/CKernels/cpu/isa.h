// How a function is compiled for one instruction set, and the scalar conversions all files share.
#pragma once
#include <stdint.h>
#include <string.h>

#include "../include/cpu_features.h"
#include "../include/dtype.h"

// An inlined function takes on the instruction set of the function it is inlined into.
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")

#if defined(__x86_64__)
#define CK_HAS_X86 1
#define CK_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define CK_TARGET_AVX512                                                                           \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))
#else
#define CK_HAS_X86 0
#endif

CK_INLINE long ck_min(long a, long b) { return a < b ? a : b; }
CK_INLINE long ck_max(long a, long b) { return a > b ? a : b; }
CK_INLINE long ck_divide_up(long a, long b) { return (a + b - 1) / b; }
CK_INLINE long ck_round_up(long a, long b) { return ck_divide_up(a, b) * b; }

CK_INLINE float ck_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

CK_INLINE uint32_t ck_bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// bf16 is the upper half of an f32.
CK_INLINE float ck_float_of_bf16(uint16_t half) { return ck_float_of_bits((uint32_t)half << 16); }

// Rounds to nearest even; a NaN stays one.
CK_INLINE uint16_t ck_bf16_of_float(float value) {
    uint32_t bits = ck_bits_of_float(value);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
}

// Without branches, so that a loop of it becomes vectors. The multiplication by 2^112 moves the
// exponent's bias from 15 to 127 and makes the subnormals right; inf and NaN are put in after.
CK_INLINE float ck_float_of_f16(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t finite = ck_bits_of_float(ck_float_of_bits(magnitude) * 0x1p112f);
    bool is_finite = (half & 0x7c00u) != 0x7c00u;
    return ck_float_of_bits(sign | (is_finite ? finite : magnitude | 0x7f800000u));
}

// Rounds to nearest even, with subnormals; too large gives inf and a NaN stays one.
CK_INLINE uint16_t ck_f16_of_float(float value) {
    uint32_t bits = ck_bits_of_float(value), sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    // Below 2^-14: adding 0.5 leaves the bits of the subnormal at the end of the mantissa.
    uint32_t small = ck_bits_of_float(ck_float_of_bits(magnitude) + 0.5f) - 0x3f000000u;
    uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    uint32_t finite = magnitude < 0x38800000u ? small : normal;
    uint32_t bounded = magnitude >= 0x477ff000u ? 0x7c00u : finite;
    return (uint16_t)(sign | (magnitude > 0x7f800000u ? 0x7e00u : bounded));
}

// Element `index` of a buffer of any dtype.
CK_INLINE float ck_load(const void *data, ck_dtype dtype, long index) {
    switch (dtype) {
    case CK_F16: return ck_float_of_f16(((const uint16_t *)data)[index]);
    case CK_BF16: return ck_float_of_bf16(((const uint16_t *)data)[index]);
    default: return ((const float *)data)[index];
    }
}
