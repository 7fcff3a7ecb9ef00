// Where an element of a weight lies and what it stands for; see weight.h for the layout.
#pragma once
#include "../include/weight.h"
#include "isa.h"

// 32767 times QLoRA's levels (arXiv 2305.14314, appendix E), rounded.
static const int16_t ck_nf4_levels[16] = {-32767, -22812, -17205, -12940, -9320, -6054,
                                          -2983,  0,      2608,   5273,   8064,  11072,
                                          14441,  18435,  23689,  32767};

// Depths of one 32-bit word.
CK_INLINE long ck_word_depth(ck_dtype dtype) { return dtype == CK_INT8 ? 4 : 8; }

// Words of one panel of rows.
CK_INLINE long ck_panel_words(long K, ck_dtype dtype) {
    return ck_round_up(K, CK_GROUP) / ck_word_depth(dtype) * CK_PANEL;
}

// Scales of one panel of rows.
CK_INLINE long ck_panel_scales(long K) { return ck_divide_up(K, CK_GROUP) * CK_PANEL; }

// The level of depth `j` of a word.
CK_INLINE int ck_level(ck_dtype dtype, uint32_t word, long j) {
    if (dtype == CK_INT8) return (int8_t)(word >> (8 * j));
    int code = (int)(word >> (4 * j) & 15);
    return dtype == CK_INT4 ? code - 8 : ck_nf4_levels[code];
}

// A level times a scale; a zero is +0, as a multiply-add with an offset has it.
CK_INLINE float ck_dequantized(int level, float scale) { return (float)level * scale + 0.0f; }

// The weight without its first `row` rows; of a quantised one, `row` is a multiple of CK_PANEL.
CK_INLINE ck_weight ck_weight_from_row(ck_weight W, long row, long K) {
    if (W.scales == nullptr) {
        const char *data = (const char *)W.data + row * K * (long)ck_dtype_size(W.dtype);
        return (ck_weight){data, W.dtype, nullptr};
    }
    long panel = row / CK_PANEL;
    const uint32_t *words = (const uint32_t *)W.data + panel * ck_panel_words(K, W.dtype);
    return (ck_weight){words, W.dtype, W.scales + panel * ck_panel_scales(K)};
}

CK_INLINE void ck_quantized_row(ck_weight W, ck_dtype dtype, long K, long n, float *y) {
    ck_weight panel = ck_weight_from_row(W, n / CK_PANEL * CK_PANEL, K);
    const uint32_t *words = (const uint32_t *)panel.data + n % CK_PANEL;
    const float *scales = panel.scales + n % CK_PANEL;
    const long depth = ck_word_depth(dtype);
    for (long k = 0; k < K; k++) {
        uint32_t word = words[k / depth * CK_PANEL];
        y[k] = ck_dequantized(ck_level(dtype, word, k % depth),
                              scales[k / CK_GROUP * CK_PANEL]);
    }
}

// y [K] = row n of a weight of any type, as f32.
CK_INLINE void ck_weight_row(ck_weight W, long K, long n, float *y) {
    const float *wide = (const float *)W.data + n * K;
    const uint16_t *narrow = (const uint16_t *)W.data + n * K;
    switch (W.dtype) {
    case CK_F32: memcpy(y, wide, (size_t)K * sizeof(float)); break;
    case CK_F16:
        for (long k = 0; k < K; k++) y[k] = ck_float_of_f16(narrow[k]);
        break;
    case CK_BF16:
        for (long k = 0; k < K; k++) y[k] = ck_float_of_bf16(narrow[k]);
        break;
    case CK_INT8: ck_quantized_row(W, CK_INT8, K, n, y); break;
    case CK_INT4: ck_quantized_row(W, CK_INT4, K, n, y); break;
    case CK_NF4: ck_quantized_row(W, CK_NF4, K, n, y); break;
    }
}
