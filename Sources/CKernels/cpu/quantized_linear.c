// Quantised weights in the products of linear.c: the same sums in the same order as with the dense
// weight that the codes stand for, so that every bit is the same.
//
// Many rows: a panel of b is widened into the packed form that linear.c multiplies with. Forward
// takes depth after depth of 8 columns as they lie; backward by input needs 16 depths of each row,
// which 4 shuffles turn while they are bytes.
// Few rows: quantized_few_rows.c.
#include "quantized_linear.h"

#include "quantized_codes.h"
#include "quantized_layout.h"

void ck_quantized_pack_portable(const outer_call *call, long c, long d, long depth, long width,
                                float *packed) {
    const ck_weight W = {call->b, call->dtype, call->scales};
    const long K = call->ldb, word_depth = ck_word_depth(W.dtype);
    for (long i = 0; i < depth; i++) {
        for (long column = c; column < c + width; column++, packed++) {
            *packed = 0;
            if (column >= call->columns) continue;
            long n = call->transposed ? column : d + i, k = call->transposed ? d + i : column;
            ck_weight panel = ck_weight_from_row(W, n / CK_PANEL * CK_PANEL, K);
            const uint32_t *words = (const uint32_t *)panel.data + n % CK_PANEL;
            float scale = panel.scales[k / CK_GROUP * CK_PANEL + n % CK_PANEL];
            uint32_t word = words[k / word_depth * CK_PANEL];
            *packed = ck_dequantized(ck_level(W.dtype, word, k % word_depth), scale);
        }
    }
}

#if CK_HAS_X86

// MARK: Packing for forward

// One panel's 8 columns from depth d on, to packed [depth][width].
CK_INLINE CK_TARGET_AVX2 void pack_columns(ck_dtype dtype, ck_weight panel, long d, long depth,
                                           long width, float *packed) {
    const int word_depth = (int)ck_word_depth(dtype);
    const uint32_t *words = (const uint32_t *)panel.data + d / word_depth * CK_PANEL;
    const float *group_scales = panel.scales + d / CK_GROUP * CK_PANEL;
    for (long start = 0; start < depth; start += CK_GROUP, group_scales += CK_PANEL) {
        __m256 scales = _mm256_loadu_ps(group_scales);
        __m256 offsets = _mm256_mul_ps(scales, _mm256_set1_ps(-ck_code_offset(dtype)));
        long end = ck_min(start + CK_GROUP, depth);
        for (long i = start; i < end; i += word_depth, words += CK_PANEL) {
            _mm_prefetch((const char *)(words + 256), _MM_HINT_T0);
            ck_codes codes;
            ck_split_codes(dtype, words, &codes);
            CK_UNROLL for (int j = 0; j < word_depth; j++) {
                if (i + j >= depth) break;
                _mm256_storeu_ps(packed + (i + j) * width,
                                 ck_element(dtype, &codes, j, scales, offsets));
            }
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void pack_forward(ck_dtype dtype, const outer_call *call, long c, long d,
                                           long depth, long width, float *packed) {
    const ck_weight W = {call->b, dtype, call->scales};
    for (long column = 0; column < width; column += CK_PANEL) {
        if (c + column < call->columns) {
            ck_weight panel = ck_weight_from_row(W, c + column, call->ldb);
            pack_columns(dtype, panel, d, depth, width, packed + column);
            continue;
        }
        for (long i = 0; i < depth; i++) {
            _mm256_storeu_ps(packed + i * width + column, _mm256_setzero_ps());
        }
    }
}

// MARK: Packing for backward

enum { TURNED_DEPTHS = 16 };

// The levels of 16 depths of a panel, row by row.
typedef int16_t panel_levels[CK_PANEL][TURNED_DEPTHS];

// Rows of 16 codes as bytes: rows[i] has those of row i and of row i + 4.
CK_INLINE CK_TARGET_AVX2 void turn_codes(ck_dtype dtype, const uint32_t *words, __m256i rows[4]) {
    const __m256i_u *w = (const __m256i_u *)words;
    __m256i low = _mm256_unpacklo_epi32(w[0], w[1]), high = _mm256_unpackhi_epi32(w[0], w[1]);
    if (dtype == CK_INT8) {
        __m256i low2 = _mm256_unpacklo_epi32(w[2], w[3]);
        __m256i high2 = _mm256_unpackhi_epi32(w[2], w[3]);
        rows[0] = _mm256_unpacklo_epi64(low, low2), rows[1] = _mm256_unpackhi_epi64(low, low2);
        rows[2] = _mm256_unpacklo_epi64(high, high2), rows[3] = _mm256_unpackhi_epi64(high, high2);
        return;
    }
    const __m256i lower = _mm256_set1_epi8(0x0f);
    __m256i pairs[2] = {low, high};
    CK_UNROLL for (int i = 0; i < 2; i++) {
        __m256i even = _mm256_and_si256(pairs[i], lower);
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32(pairs[i], 4), lower);
        rows[2 * i] = _mm256_unpacklo_epi8(even, odd);
        rows[2 * i + 1] = _mm256_unpackhi_epi8(even, odd);
    }
}

CK_INLINE CK_TARGET_AVX2 void turn_levels(ck_dtype dtype, const uint32_t *words,
                                          panel_levels levels) {
    __m256i rows[4];
    turn_codes(dtype, words, rows);
    for (int row = 0; row < CK_PANEL; row++) {
        __m128i codes = row < 4 ? _mm256_castsi256_si128(rows[row])
                                : _mm256_extracti128_si256(rows[row - 4], 1);
        __m256i *to = (__m256i *)levels[row];
        if (dtype == CK_NF4) {
            int8_t each[TURNED_DEPTHS];
            _mm_storeu_si128((__m128i_u *)each, codes);
            for (int i = 0; i < TURNED_DEPTHS; i++) levels[row][i] = ck_nf4_levels[each[i]];
        } else if (dtype == CK_INT4) {
            _mm256_storeu_si256(
                to, _mm256_cvtepi8_epi16(_mm_sub_epi8(codes, _mm_set1_epi8(8))));
        } else {
            _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(codes));
        }
    }
}

// Depth runs over rows n of W, columns over k.
CK_INLINE CK_TARGET_AVX2 void pack_backward(ck_dtype dtype, const outer_call *call, long c, long d,
                                            long depth, long width, float *packed) {
    const ck_weight W = {call->b, dtype, call->scales};
    const __m256 zero = _mm256_setzero_ps();
    for (long i = 0; i < depth; i += CK_PANEL) {
        ck_weight panel = ck_weight_from_row(W, d + i, call->ldb);
        long present = ck_min(CK_PANEL, depth - i);
        for (long column = 0; column < width; column += TURNED_DEPTHS) {
            long k = c + column;
            float *to = packed + i * width + column;
            if (k >= call->columns) {
                for (long row = 0; row < present; row++, to += width) {
                    _mm256_storeu_ps(to, zero), _mm256_storeu_ps(to + 8, zero);
                }
                continue;
            }
            const uint32_t *words = (const uint32_t *)panel.data;
            const float *scales = panel.scales + k / CK_GROUP * CK_PANEL;
            panel_levels levels;
            turn_levels(dtype, words + k / ck_word_depth(dtype) * CK_PANEL, levels);
            for (long row = 0; row < present; row++, to += width) {
                __m256 scale = _mm256_set1_ps(scales[row]);
                CK_UNROLL for (int half = 0; half < 2; half++) {
                    __m256i level = _mm256_cvtepi16_epi32(
                        _mm_loadu_si128((const __m128i_u *)levels[row] + half));
                    __m256 element = _mm256_mul_ps(_mm256_cvtepi32_ps(level), scale);
                    _mm256_storeu_ps(to + 8 * half, element);
                }
            }
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void pack_typed(ck_dtype dtype, const outer_call *call, long c, long d,
                                         long depth, long width, float *packed) {
    if (call->transposed) {
        pack_forward(dtype, call, c, d, depth, width, packed);
    } else {
        pack_backward(dtype, call, c, d, depth, width, packed);
    }
}

CK_TARGET_AVX2 void ck_quantized_pack_avx2(const outer_call *call, long c, long d, long depth,
                                           long width, float *packed) {
    switch (call->dtype) {
    case CK_INT8: pack_typed(CK_INT8, call, c, d, depth, width, packed); break;
    case CK_INT4: pack_typed(CK_INT4, call, c, d, depth, width, packed); break;
    default: pack_typed(CK_NF4, call, c, d, depth, width, packed); break;
    }
}
#endif
