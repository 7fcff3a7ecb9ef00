// Products of quantised weights with activations quantised to 8 bits.
//
// Each row of x is quantised on its own, in the groups of the weight's depth: with m the group's
// largest size, s = m / 127 and the codes are x * (127 / m), rounded to nearest even. Then
//   y[m, n] = sum over the groups, in order, of (dot * s_x[m, group]) * s_w[n, group],  + bias[n],
// where dot is a sum of products of whole numbers, exact in any order, and every other step rounds
// once. So a row's bits depend on that row alone, and are the same with every instruction set.
//
// A byte product of AVX2 takes one operand without a sign and adds pairs in 16 bits: of int8 the
// sign goes over to x (127 * 127 * 2 fits), and int4 takes its codes 0...15 as they are (8 pairs of
// 15 * 127 * 2 fit) and takes 8 times the sum of x away at the end.
#include <stdbool.h>

#include "../include/linear.h"
#include "linear_call.h"
#include "quantized_layout.h"
#include "task.h"

#if CK_HAS_X86
#include <immintrin.h>
#endif

#pragma clang fp contract(off)

enum {
    CODES_SLOT = 6,
    SCALES_SLOT = 7,
    TASK_COLUMNS = 64,
    ROW_BLOCK = 32, // rows whose sums are under way at a time
    ROW_TILE = 4,   // rows and panels whose dot products stay in registers
    PANEL_TILE = 2,
    GROUP_BLOCK = 8, // groups after which the next rows take their turn: their codes stay in L1
};

// The rows of x: codes [M][groups][64] and, of each group, its scale and the sum of its codes.
// For 4-bit weights, the codes of 8 depths lie as 0 2 4 6 1 3 5 7, as their nibbles are taken out.
typedef struct {
    long M, N, K, groups;
    const float *x;
    long ldx;
    ck_weight W;
    linear_output out;
    int8_t *codes;
    float *scales;
    int32_t *sums;
} rows_call;

// MARK: Quantising x

CK_INLINE void quantize_codes(const float *values, bool interleaved, int8_t *codes, float *scale,
                              int32_t *sum) {
    uint32_t largest = 0; // of sizes, whose bits order them; of what is no number they are largest
    for (int i = 0; i < CK_GROUP; i++) {
        uint32_t size = ck_bits_of_float(values[i]) & 0x7fffffffu;
        largest = size > largest ? size : largest;
    }
    float size = ck_float_of_bits(largest);
    bool is_finite = largest < 0x7f800000u, is_zero = size < 0x1p-100f;
    *scale = !is_finite ? __builtin_nanf("") : is_zero ? 0 : size / 127;
    float inverse = !is_finite || is_zero ? 0 : 127 / size;
    int32_t rounded[CK_GROUP], total = 0;
    for (int i = 0; i < CK_GROUP; i++) {
        // Adding 1.5 * 2^23 rounds to nearest even.
        float shifted = (is_finite ? values[i] : 0) * inverse + 12582912.0f;
        rounded[i] = (int32_t)(ck_bits_of_float(shifted) - ck_bits_of_float(12582912.0f));
        total += rounded[i];
    }
    *sum = total;
    for (int i = 0; i < CK_GROUP; i++) {
        int from = interleaved ? i / 8 * 8 + i % 4 * 2 + i % 8 / 4 : i;
        codes[i] = (int8_t)rounded[from];
    }
}

CK_INLINE void quantize_row(void *context, long task) {
    const rows_call *call = context;
    const float *x = call->x + task * call->ldx;
    for (long group = 0; group < call->groups; group++) {
        float values[CK_GROUP] = {};
        long count = ck_min(CK_GROUP, call->K - group * CK_GROUP);
        memcpy(values, x + group * CK_GROUP, (size_t)count * sizeof(float));
        long index = task * call->groups + group;
        quantize_codes(values, call->W.dtype != CK_INT8, call->codes + index * CK_GROUP,
                       call->scales + index, call->sums + index);
    }
}
CK_TASK(quantize_row)

// MARK: Any processor

static void multiply_portable(void *context, long task) {
    const rows_call *call = context;
    ck_range columns = ck_piece(task, TASK_COLUMNS, call->N);
    const long depth = ck_word_depth(call->W.dtype);
    for (long n = columns.begin; n < columns.end; n++) {
        ck_weight panel = ck_weight_from_row(call->W, n / CK_PANEL * CK_PANEL, call->K);
        const uint32_t *words = (const uint32_t *)panel.data + n % CK_PANEL;
        const float *scales = panel.scales + n % CK_PANEL;
        float bias = 0;
        if (call->out.bias != nullptr) bias = ck_load(call->out.bias, call->out.bias_dtype, n);
        for (long m = 0; m < call->M; m++) {
            float sum = 0;
            for (long group = 0; group < call->groups; group++) {
                long index = m * call->groups + group;
                const int8_t *codes = call->codes + index * CK_GROUP;
                int32_t dot = 0;
                for (long k = 0; k < CK_GROUP; k++) {
                    uint32_t word = words[(group * CK_GROUP + k) / depth * CK_PANEL];
                    long at = depth == 4 ? k : k / 8 * 8 + k % 2 * 4 + k % 8 / 2;
                    dot += ck_level(call->W.dtype, word, k % depth) * codes[at];
                }
                sum += (float)dot * call->scales[index] * scales[group * CK_PANEL];
            }
            call->out.data[m * call->out.stride + n] = sum + bias;
        }
    }
}

#if CK_HAS_X86

// MARK: AVX2

// The dot products of one group: `rows` rows of codes, `row_stride` apart, with `panels` panels of
// words, `stride` apart.
CK_INLINE CK_TARGET_AVX2 void dot_int8(const int rows, const int panels, const int8_t *codes,
                                       long row_stride, const uint32_t *words, long stride,
                                       __m256i dots[ROW_TILE][PANEL_TILE]) {
    const __m256i ones = _mm256_set1_epi16(1);
    CK_UNROLL for (int i = 0; i < rows; i++) {
        CK_UNROLL for (int p = 0; p < panels; p++) dots[i][p] = _mm256_setzero_si256();
    }
    for (long depth = 0; depth < CK_GROUP; depth += 4, words += CK_PANEL) {
        __m256i w[PANEL_TILE], size[PANEL_TILE];
        CK_UNROLL for (int p = 0; p < panels; p++) {
            w[p] = _mm256_loadu_si256((const __m256i_u *)(words + p * stride));
            size[p] = _mm256_abs_epi8(w[p]);
        }
        CK_UNROLL for (int i = 0; i < rows; i++) {
            int32_t four;
            memcpy(&four, codes + i * row_stride + depth, sizeof four);
            __m256i x = _mm256_set1_epi32(four);
            CK_UNROLL for (int p = 0; p < panels; p++) {
                __m256i pairs = _mm256_maddubs_epi16(size[p], _mm256_sign_epi8(x, w[p]));
                dots[i][p] = _mm256_add_epi32(dots[i][p], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void dot_int4(const int rows, const int panels, const int8_t *codes,
                                       long row_stride, const uint32_t *words, long stride,
                                       const int32_t *sums, long sum_stride,
                                       __m256i dots[ROW_TILE][PANEL_TILE]) {
    const __m256i ones = _mm256_set1_epi16(1), lower = _mm256_set1_epi8(0x0f);
    CK_UNROLL for (int i = 0; i < rows; i++) {
        __m256i excess = _mm256_set1_epi32(-8 * sums[i * sum_stride]);
        CK_UNROLL for (int p = 0; p < panels; p++) dots[i][p] = excess;
    }
    for (long half = 0; half < 2; half++) { // so that 16 bits hold the sums
        __m256i pairs[ROW_TILE][PANEL_TILE] = {};
        CK_UNROLL for (long word = 0; word < 4; word++, words += CK_PANEL) {
            __m256i even[PANEL_TILE], odd[PANEL_TILE];
            CK_UNROLL for (int p = 0; p < panels; p++) {
                __m256i w = _mm256_loadu_si256((const __m256i_u *)(words + p * stride));
                even[p] = _mm256_and_si256(w, lower);
                odd[p] = _mm256_and_si256(_mm256_srli_epi16(w, 4), lower);
            }
            CK_UNROLL for (int i = 0; i < rows; i++) {
                int32_t four[2];
                memcpy(four, codes + i * row_stride + 32 * half + 8 * word, sizeof four);
                __m256i low = _mm256_set1_epi32(four[0]), high = _mm256_set1_epi32(four[1]);
                CK_UNROLL for (int p = 0; p < panels; p++) {
                    __m256i sum = _mm256_add_epi16(pairs[i][p], _mm256_maddubs_epi16(even[p], low));
                    pairs[i][p] = _mm256_add_epi16(sum, _mm256_maddubs_epi16(odd[p], high));
                }
            }
        }
        CK_UNROLL for (int i = 0; i < rows; i++) {
            CK_UNROLL for (int p = 0; p < panels; p++) {
                dots[i][p] = _mm256_add_epi32(dots[i][p], _mm256_madd_epi16(pairs[i][p], ones));
            }
        }
    }
}

// Adds the groups first..<end of `rows` rows from m on times the panels from column n on.
CK_INLINE CK_TARGET_AVX2 void add_groups(const int rows, const int panels, ck_dtype dtype,
                                         const rows_call *call, ck_weight panel, long m,
                                         long first, long end, float sums[][PANEL_TILE][CK_PANEL]) {
    const long stride = ck_panel_words(call->K, dtype), scale_stride = ck_panel_scales(call->K);
    const long group_words = CK_GROUP / ck_word_depth(dtype) * CK_PANEL;
    const uint32_t *words = (const uint32_t *)panel.data + first * group_words;
    for (long group = first; group < end; group++, words += group_words) {
        long index = m * call->groups + group;
        const int8_t *codes = call->codes + index * CK_GROUP;
        __m256i dots[ROW_TILE][PANEL_TILE];
        if (dtype == CK_INT8) {
            dot_int8(rows, panels, codes, call->groups * CK_GROUP, words, stride, dots);
        } else {
            dot_int4(rows, panels, codes, call->groups * CK_GROUP, words, stride,
                     call->sums + index, call->groups, dots);
        }
        CK_UNROLL for (int i = 0; i < rows; i++) {
            __m256 row_scale = _mm256_set1_ps(call->scales[index + i * call->groups]);
            CK_UNROLL for (int p = 0; p < panels; p++) {
                const float *scales = panel.scales + p * scale_stride + group * CK_PANEL;
                __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[i][p]), row_scale);
                product = _mm256_mul_ps(product, _mm256_loadu_ps(scales));
                __m256 sum = _mm256_add_ps(_mm256_load_ps(sums[i][p]), product);
                _mm256_store_ps(sums[i][p], sum);
            }
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void add_row_tile(const int panels, ck_dtype dtype, const rows_call *call,
                                           ck_weight panel, long m, long rows, long first, long end,
                                           float sums[][PANEL_TILE][CK_PANEL]) {
    switch (rows) {
    case 1: add_groups(1, panels, dtype, call, panel, m, first, end, sums); break;
    case 2: add_groups(2, panels, dtype, call, panel, m, first, end, sums); break;
    case 3: add_groups(3, panels, dtype, call, panel, m, first, end, sums); break;
    default: add_groups(4, panels, dtype, call, panel, m, first, end, sums); break;
    }
}

// All rows of `panels` panels from column n on.
CK_INLINE CK_TARGET_AVX2 void multiply_panels(const int panels, ck_dtype dtype,
                                              const rows_call *call, long n) {
    const linear_output *out = &call->out;
    const ck_weight panel = ck_weight_from_row(call->W, n, call->K);
    const long count = ck_min(panels * CK_PANEL, call->N - n);
    float bias[PANEL_TILE * CK_PANEL] = {};
    for (long i = 0; i < count && out->bias != nullptr; i++) {
        bias[i] = ck_load(out->bias, out->bias_dtype, n + i);
    }
    for (long start = 0; start < call->M; start += ROW_BLOCK) {
        long rows = ck_min(ROW_BLOCK, call->M - start);
        alignas(32) float sums[ROW_BLOCK][PANEL_TILE][CK_PANEL];
        memset(sums, 0, (size_t)rows * sizeof sums[0]);
        for (long group = 0; group < call->groups; group += GROUP_BLOCK) {
            long end = ck_min(group + GROUP_BLOCK, call->groups);
            for (long m = 0; m < rows; m += ROW_TILE) {
                add_row_tile(panels, dtype, call, panel, start + m, rows - m, group, end, sums + m);
            }
        }
        for (long m = 0; m < rows; m++) {
            float *y = out->data + (start + m) * out->stride + n;
            for (long i = 0; i < count; i++) y[i] = sums[m][i / CK_PANEL][i % CK_PANEL] + bias[i];
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void multiply_columns(ck_dtype dtype, const rows_call *call, long task) {
    ck_range columns = ck_piece(task, TASK_COLUMNS, call->N);
    long n = columns.begin;
    for (; n + CK_PANEL < columns.end; n += PANEL_TILE * CK_PANEL) {
        multiply_panels(PANEL_TILE, dtype, call, n);
    }
    if (n < columns.end) multiply_panels(1, dtype, call, n);
}

CK_TARGET_AVX2 static void multiply_avx2(void *context, long task) {
    const rows_call *call = context;
    if (call->W.dtype == CK_INT8) {
        multiply_columns(CK_INT8, call, task);
    } else {
        multiply_columns(CK_INT4, call, task);
    }
}
#endif

void ck_linear_forward_int8(long M, long N, long K, const float *x, long ldx, ck_weight W,
                            const void *bias, ck_dtype bias_dtype, float *y, long ldy) {
    if (M <= 0 || N <= 0) return;
    const long groups = ck_divide_up(K, CK_GROUP);
    const size_t count = (size_t)(M * groups);
    float *scales = ck_scratch(SCALES_SLOT, count * (sizeof(float) + sizeof(int32_t)));
    rows_call call = {.M = M, .N = N, .K = K, .groups = groups, .x = x, .ldx = ldx, .W = W,
                      .out = {y, ldy, 1, false, bias, bias_dtype},
                      .codes = ck_scratch(CODES_SLOT, count * CK_GROUP), .scales = scales,
                      .sums = (int32_t *)(scales + count)};
    quantize_row_run(M, &call);
    void (*body)(void *, long) = multiply_portable;
#if CK_HAS_X86
    if (ck_isa_in_use() >= CK_ISA_AVX2) body = multiply_avx2;
#endif
    ck_parallel(ck_divide_up(N, TASK_COLUMNS), body, &call);
}
