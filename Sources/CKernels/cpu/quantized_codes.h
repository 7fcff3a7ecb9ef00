// Codes of a quantised weight as floats, 8 columns at a time, in AVX2.
//
// A code is put into the mantissa of a float whose exponent makes it count units, and one
// multiply-add takes the float's own size away and scales: with s the scale and c the code,
//   (base + c) s - (base + zero) s = (c - zero) s,
// rounded once, since base + zero has 9 significant bits and s at most 15, so that the subtrahend
// is exact. It is the level times the scale, as anyone would compute it.
#pragma once
#include "quantized_layout.h"

#if CK_HAS_X86
#include <immintrin.h>

// The codes of 8 words, moved to where `ck_element` takes them from.
typedef struct {
    __m256i parts[4];
} ck_codes;

// base + zero of a type.
CK_INLINE float ck_code_offset(ck_dtype dtype) {
    switch (dtype) {
    case CK_INT8: return 0x1p15f + 128;
    case CK_INT4: return 0x1p11f + 8;
    default: return 0x1p23f + 0x1p15f;
    }
}

// Bytes of every 32-bit word from its bytes b0...b3; one of 0x80 is a zero.
CK_INLINE CK_TARGET_AVX2 __m256i ck_move_bytes(__m256i words, uint32_t control) {
    // Counts from the beginning of the 128 bits that a word stands in; 0x80 and more stay so.
    __m256i places = _mm256_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0, 0x0c0c0c0c,
                                      0x08080808, 0x04040404, 0);
    return _mm256_shuffle_epi8(words, _mm256_or_si256(places, _mm256_set1_epi32((int)control)));
}

CK_INLINE CK_TARGET_AVX2 void ck_split_codes(ck_dtype dtype, const uint32_t *words,
                                             ck_codes *codes) {
    __m256i w = _mm256_loadu_si256((const __m256i_u *)words);
    if (dtype == CK_INT8) {
        codes->parts[0] = w;
        return;
    }
    if (dtype == CK_INT4) { // in the upper halves of bytes
        const __m256i upper = _mm256_set1_epi8((char)0xf0);
        codes->parts[0] = _mm256_and_si256(_mm256_slli_epi32(w, 4), upper);
        codes->parts[1] = _mm256_and_si256(w, upper);
        return;
    }
    // The level + 2^15 in two bytes, side by side: parts[half + 2 * odd] has those of the depths
    // 4 half + odd and 4 half + 2 + odd. Every 128 bits get the first halves of their 4 words, then
    // the second, so that joining low and high bytes makes pairs.
    const __m256i lower = _mm256_set1_epi8(0x0f);
    const __m256i halves = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    char low[16], high[16];
    for (int i = 0; i < 16; i++) {
        low[i] = (char)(ck_nf4_levels[i] & 255);
        high[i] = (char)((ck_nf4_levels[i] + 0x8000) >> 8);
    }
    __m256i low_table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)low));
    __m256i high_table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)high));
    w = _mm256_shuffle_epi8(w, halves);
    CK_UNROLL for (int odd = 0; odd < 2; odd++) {
        __m256i index = _mm256_and_si256(odd ? _mm256_srli_epi32(w, 4) : w, lower);
        __m256i l = _mm256_shuffle_epi8(low_table, index);
        __m256i h = _mm256_shuffle_epi8(high_table, index);
        codes->parts[2 * odd] = _mm256_unpacklo_epi8(l, h);
        codes->parts[2 * odd + 1] = _mm256_unpackhi_epi8(l, h);
    }
}

// The elements of depth `j` of 8 words, given the scales and the scales times -ck_code_offset.
CK_INLINE CK_TARGET_AVX2 __m256 ck_element(ck_dtype dtype, const ck_codes *codes, int j,
                                           __m256 scales, __m256 offsets) {
    __m256i bits;
    if (dtype == CK_INT8) {
        bits = _mm256_xor_si256(ck_move_bytes(codes->parts[0], 0x80800080u | (uint32_t)j << 8),
                                _mm256_set1_epi32(0x47008000));
    } else if (dtype == CK_INT4) {
        uint32_t byte = (uint32_t)j / 2;
        bits = _mm256_or_si256(ck_move_bytes(codes->parts[j % 2], 0x80800080u | byte << 8),
                               _mm256_set1_epi32(0x45000000));
    } else {
        __m256i pair = codes->parts[j % 2 * 2 + j / 4];
        const __m256i base = _mm256_set1_epi32(0x4b000000);
        bits = j / 2 % 2 == 0 ? _mm256_blend_epi16(pair, base, 0xaa)
                              : _mm256_or_si256(_mm256_srli_epi32(pair, 16), base);
    }
    return _mm256_fmadd_ps(_mm256_castsi256_ps(bits), scales, offsets);
}
#endif
