// A frozen weight matrix W [N, K]: dense rows as checkpoints hold them, or quantised panels.
#pragma once
#include "dtype.h"

typedef struct ck_weight {
    const void *_Nonnull data;
    ck_dtype dtype;
    const float *_Nullable scales; // null for the dense types
} ck_weight;

// The quantised layout. Groups of CK_GROUP elements along K share a scale, and the rows n lie in
// panels of CK_PANEL side by side, so that no kernel turns them round. N is padded to CK_PANEL and
// K to CK_GROUP with zeros.
//   words  [N/8][K/4][8] of int8: byte j of a word is depth 4i + j, two's complement
//          [N/8][K/8][8] of the 4-bit kinds: bits 4j..<4j+4 of a word are depth 8i + j
//   scales [N/8][K/64][8]
// An element is level(code) * scale, rounded once to f32. Levels are whole numbers, and a scale has
// at most 15 significant bits, so that one multiply-add makes an element of a code's bits.
//   CK_INT8  the code itself, -127...127
//   CK_INT4  code - 8, -8...7
//   CK_NF4   32767 times the level of QLoRA's table (arXiv 2305.14314), rounded
enum { CK_GROUP = 64, CK_PANEL = 8 };

// Bytes of the words and number of the scales of a quantised [N, K].
static inline size_t ck_quantized_bytes(long N, long K, ck_dtype dtype) {
    size_t rows = (size_t)(N + CK_PANEL - 1) / CK_PANEL * CK_PANEL;
    size_t columns = (size_t)(K + CK_GROUP - 1) / CK_GROUP * CK_GROUP;
    return dtype == CK_INT8 ? rows * columns : rows * columns / 2;
}

static inline size_t ck_quantized_scales(long N, long K) {
    size_t panels = (size_t)(N + CK_PANEL - 1) / CK_PANEL;
    return panels * ((size_t)(K + CK_GROUP - 1) / CK_GROUP) * CK_PANEL;
}

// Quantises source [N, K] of a dense type. Returns 0, with undefined content, when an element is
// not finite or not below 2^60, else 1.
int ck_quantize(long N, long K, const void *_Nonnull source, ck_dtype source_dtype,
                ck_dtype dtype, uint32_t *_Nonnull words, float *_Nonnull scales);

// y [rows, K] = the rows first..<first + rows of a weight of any type, as f32.
void ck_weight_rows(long rows, long K, ck_weight weight, long first, float *_Nonnull y);
