// exp, log, sigmoid and silu of f32 in plain C without branches or calls: a loop of them becomes
// vector code of whatever instruction set the loop's function is compiled for. Largest
// errors measured over f32: exp 1.01, log 0.83 units in the last place. NaN in, NaN out.
#pragma once
#include <math.h>

#include "isa.h"

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2: a polynomial of degree 7 in r
// (Cephes' expf). 2^n is applied as two factors so that results down to the smallest subnormal
// and up to inf come out right.
CK_INLINE float ck_exp(float x) {
    const float shift = 0x1.8p23f;  // adding it leaves round(x / ln 2) in the last bits
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 0x1.715476p0f + shift;
    float n = shifted - shift;
    float r = x - n * 0x1.62e4p-1f;
    r = r - n * 0x1.7f7d1cp-20f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    int32_t exponent = (int32_t)(ck_bits_of_float(shifted) - 0x4b400000u);
    int32_t half = exponent >> 1, rest = exponent - half;
    float first = ck_float_of_bits((uint32_t)(half + 127) << 23);
    float second = ck_float_of_bits((uint32_t)(rest + 127) << 23);
    return p * first * second;
}

// log(x) = k ln 2 + log(m), m in [sqrt(1/2), sqrt 2) (FreeBSD's logf). 0 gives -inf, a negative
// number NaN, inf gives inf.
CK_INLINE float ck_log(float x) {
    int subnormal = x < 0x1p-126f;
    float scaled = subnormal ? x * 0x1p25f : x;
    uint32_t bits = ck_bits_of_float(scaled) + (0x3f800000u - 0x3f3504f3u);
    float k = (float)((int32_t)(bits >> 23) - (subnormal ? 127 + 25 : 127));
    float f = ck_float_of_bits((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float s = f / (2.0f + f), z = s * s, w = z * z;
    float odd = z * (0.66666662693f + w * 0.28498786688f);
    float even = w * (0.40000972152f + w * 0.24279078841f);
    float half_square = 0.5f * f * f;
    float result = s * (half_square + odd + even) + k * 9.0580006145e-6f;
    result = result - half_square + f + k * 6.9313812256e-1f;
    result = x == 0.0f ? -INFINITY : result;
    result = x == INFINITY ? x : result;
    return x >= 0.0f ? result : NAN;
}

CK_INLINE float ck_sigmoid(float x) { return 1.0f / (1.0f + ck_exp(-x)); }

// x * sigmoid(x), Swish with beta 1 (arXiv 1710.05941).
CK_INLINE float ck_silu(float x) { return x / (1.0f + ck_exp(-x)); }
