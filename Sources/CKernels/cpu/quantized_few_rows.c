// Few rows times a quantised weight: the sums of linear.c in its order, with the elements of
// quantized_codes.h.
//
// Nothing is packed; 4 panels at a time (2 from three rows on) go straight from their codes to the
// sums, so that enough sums are under way to hide a multiply-add's latency.
#include "quantized_codes.h"
#include "quantized_layout.h"
#include "quantized_linear.h"

#if CK_HAS_X86

enum { MOST_PANELS = 4 };

// What the sums of some rows and panels read: words and scales of panel p lie p strides on.
typedef struct {
    const uint32_t *words;
    const float *scales;
    long word_stride, scale_stride;
} panel_group;

typedef __m256 panel_sums[QUANTIZED_FEW_ROWS][MOST_PANELS];

// A group's scales, and these times -ck_code_offset.
typedef struct {
    __m256 scales, offsets;
} panel_scaling;

// Keeps the compiler from holding all scalings in registers, which it lacks for the sums then.
#define IN_REGISTERS(sum, scaling) __asm__("" : "+x"(sum), "+r"(scaling))
// Ends what the compiler may mix.
#define PANEL_DONE(sum) __asm__ volatile("" : "+x"(sum) : : "memory")
// Keeps codes that are needed later out of the registers.
#define IN_MEMORY(codes) __asm__ volatile("" : "+m"(codes))

// Adds the products of depth `j` of a word of one panel.
CK_INLINE CK_TARGET_AVX2 void add_depth(const int rows, ck_dtype dtype, const float *a, long a_row,
                                        int j, const ck_codes *codes, const panel_scaling *scaling,
                                        int p, panel_sums total) {
    __m256 element = ck_element(dtype, codes, j, scaling[p].scales, scaling[p].offsets);
    CK_UNROLL for (int row = 0; row < rows; row++) {
        __m256 left = _mm256_set1_ps(a[row * a_row + j]);
        total[row][p] = _mm256_fmadd_ps(left, element, total[row][p]);
    }
}

// Adds the products of a word of each panel, depth after depth.
CK_INLINE CK_TARGET_AVX2 void add_depths(const int rows, const int panels, ck_dtype dtype,
                                         const float *a, long a_row, const uint32_t *words,
                                         long stride, const panel_scaling *scaling,
                                         panel_sums total) {
    ck_codes codes[MOST_PANELS];
    CK_UNROLL for (int p = 0; p < panels; p++) {
        ck_split_codes(dtype, words + p * stride, &codes[p]);
    }
    CK_UNROLL for (int j = 0; j < (dtype == CK_INT8 ? 4 : 8); j++) {
        CK_UNROLL for (int p = 0; p < panels; p++) {
            add_depth(rows, dtype, a, a_row, j, &codes[p], scaling, p, total);
            CK_UNROLL for (int row = 0; row < rows; row++) IN_REGISTERS(total[row][p], scaling);
        }
    }
}

// The same with 4 depths of one panel after another, where registers lack for the codes of all:
// the processor looks that far ahead to have all chains under way.
CK_INLINE CK_TARGET_AVX2 void add_panels(const int rows, const int panels, ck_dtype dtype,
                                         const float *a, long a_row, const uint32_t *words,
                                         long stride, const panel_scaling *scaling,
                                         panel_sums total) {
    ck_codes saved[MOST_PANELS];
    CK_UNROLL for (int start = 0; start < (dtype == CK_INT8 ? 4 : 8); start += 4) {
        CK_UNROLL for (int p = 0; p < panels; p++) {
            ck_codes codes;
            if (dtype == CK_NF4 && start > 0) {
                codes = saved[p];
            } else {
                ck_split_codes(dtype, words + p * stride, &codes);
            }
            if (dtype == CK_NF4 && start == 0) {
                saved[p].parts[1] = codes.parts[1], saved[p].parts[3] = codes.parts[3];
                IN_MEMORY(saved[p]);
            }
            CK_UNROLL for (int j = start; j < start + 4; j++) {
                add_depth(rows, dtype, a, a_row, j, &codes, scaling, p, total);
            }
            CK_UNROLL for (int row = 0; row < rows; row++) PANEL_DONE(total[row][p]);
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void add_word(const int rows, const int panels, ck_dtype dtype,
                                       const float *a, long a_row, const uint32_t *words,
                                       long stride, const panel_scaling *scaling,
                                       panel_sums total) {
    if (dtype == CK_NF4 || rows == 2) {
        add_panels(rows, panels, dtype, a, a_row, words, stride, scaling, total);
    } else {
        add_depths(rows, panels, dtype, a, a_row, words, stride, scaling, total);
    }
}

CK_INLINE CK_TARGET_AVX2 void word_elements(ck_dtype dtype, const uint32_t *words,
                                            panel_scaling scaling, __m256 elements[8]) {
    ck_codes codes;
    ck_split_codes(dtype, words, &codes);
    CK_UNROLL for (int j = 0; j < (dtype == CK_INT8 ? 4 : 8); j++) {
        elements[j] = ck_element(dtype, &codes, j, scaling.scales, scaling.offsets);
    }
}

// Adds the products of the first `depth` depths of a word of one panel to its sums. Not inlined:
// it would take registers from the loop over whole words.
static CK_TARGET_AVX2 __attribute__((noinline)) void add_part(int rows, ck_dtype dtype,
                                                              const float *a, long a_row,
                                                              long depth, const uint32_t *words,
                                                              const panel_scaling *scaling,
                                                              __m256 *total) {
    __m256 elements[8];
    switch (dtype) {
    case CK_INT8: word_elements(CK_INT8, words, *scaling, elements); break;
    case CK_INT4: word_elements(CK_INT4, words, *scaling, elements); break;
    default: word_elements(CK_NF4, words, *scaling, elements); break;
    }
    for (long j = 0; j < depth; j++) {
        for (int row = 0; row < rows; row++) {
            __m256 left = _mm256_set1_ps(a[row * a_row + j]);
            total[row] = _mm256_fmadd_ps(left, elements[j], total[row]);
        }
    }
}

// Adds the products of a group's first `depth` depths.
CK_INLINE CK_TARGET_AVX2 void add_group(const int rows, const int panels, ck_dtype dtype,
                                        const float *a, long a_row, long depth,
                                        const panel_group *group, panel_sums total) {
    const long word_depth = ck_word_depth(dtype);
    panel_scaling scaling[MOST_PANELS];
    CK_UNROLL for (int p = 0; p < panels; p++) {
        __m256 scales = _mm256_loadu_ps(group->scales + p * group->scale_stride);
        scaling[p].scales = scales;
        scaling[p].offsets = _mm256_mul_ps(scales, _mm256_set1_ps(-ck_code_offset(dtype)));
    }
    const uint32_t *words = group->words;
    long i = 0;
    for (; i + word_depth <= depth; i += word_depth, words += CK_PANEL) {
        add_word(rows, panels, dtype, a + i, a_row, words, group->word_stride, scaling, total);
    }
    if (i == depth) return;
    CK_UNROLL for (int p = 0; p < panels; p++) {
        __m256 sums[QUANTIZED_FEW_ROWS];
        CK_UNROLL for (int row = 0; row < rows; row++) sums[row] = total[row][p];
        add_part(rows, dtype, a + i, a_row, depth - i, words + p * group->word_stride, &scaling[p],
                 sums);
        CK_UNROLL for (int row = 0; row < rows; row++) total[row][p] = sums[row];
    }
}

// Asks for the words of a group's size of some panels that come next, in the order of memory.
CK_INLINE CK_TARGET_AVX2 void fetch_group(const int panels, ck_dtype dtype, const uint32_t *words) {
    const long count = panels * CK_GROUP / ck_word_depth(dtype) * CK_PANEL;
    for (long i = 0; i < count; i += 16) _mm_prefetch((const char *)(words + i), _MM_HINT_T1);
}

// Adds the sums of 8 columns from c on to out, as linear.c's `finish` does.
CK_INLINE CK_TARGET_AVX2 void finish_panel(const linear_output *out, long row, long c, long count,
                                           __m256 total, bool fresh, bool last) {
    float old[CK_PANEL] = {}, bias[CK_PANEL] = {};
    float *y = out->data + row * out->stride + c;
    if (!fresh) memcpy(old, y, (size_t)count * sizeof(float));
    if (last && out->bias != nullptr) {
        for (long i = 0; i < count; i++) bias[i] = ck_load(out->bias, out->bias_dtype, c + i);
    }
    __m256 sum = _mm256_fmadd_ps(total, _mm256_set1_ps(out->scale), _mm256_loadu_ps(old));
    _mm256_storeu_ps(old, _mm256_add_ps(sum, _mm256_loadu_ps(bias)));
    memcpy(y, old, (size_t)count * sizeof(float));
}

CK_INLINE CK_TARGET_AVX2 void multiply_panels(const int rows, const int panels, ck_dtype dtype,
                                              const outer_call *call, long c) {
    const long K = call->depth;
    const ck_weight panel =
        ck_weight_from_row((ck_weight){call->b, dtype, call->scales}, c, K);
    panel_group group = {panel.data, panel.scales, ck_panel_words(K, dtype), ck_panel_scales(K)};
    const long group_words = CK_GROUP / ck_word_depth(dtype) * CK_PANEL;
    const uint32_t *next = group.words + panels * group.word_stride;
    for (long d = 0; d < K; d += OUTER_DEPTH) {
        const long end = ck_min(d + OUTER_DEPTH, K);
        panel_sums total;
        CK_UNROLL for (int row = 0; row < rows; row++) {
            CK_UNROLL for (int p = 0; p < panels; p++) total[row][p] = _mm256_setzero_ps();
        }
        for (long k = d; k < end; k += CK_GROUP) {
            // The processor's own fetching keeps up with int8, and is disturbed.
            if (dtype != CK_INT8) fetch_group(panels, dtype, next);
            next += panels * group_words;
            add_group(rows, panels, dtype, call->a + k, call->a_row, ck_min(CK_GROUP, end - k),
                      &group, total);
            group.words += group_words;
            group.scales += CK_PANEL;
        }
        CK_UNROLL for (int p = 0; p < panels; p++) {
            long column = c + p * CK_PANEL, count = ck_min(CK_PANEL, call->columns - column);
            CK_UNROLL for (int row = 0; row < rows; row++) {
                finish_panel(&call->out, row, column, count, total[row][p],
                             d == 0 && !call->out.accumulate, end == K);
            }
        }
    }
}

CK_INLINE CK_TARGET_AVX2 void few_rows_of(const int rows, ck_dtype dtype, const outer_call *call,
                                          long c0, long c1) {
    const int panels = rows < 3 ? MOST_PANELS : MOST_PANELS / 2;
    long c = c0;
    for (; c + (panels - 1) * CK_PANEL < c1; c += panels * CK_PANEL) {
        multiply_panels(rows, panels, dtype, call, c);
    }
    for (; c < c1; c += CK_PANEL) multiply_panels(rows, 1, dtype, call, c);
}

CK_INLINE CK_TARGET_AVX2 void few_rows_typed(ck_dtype dtype, const outer_call *call, long c0,
                                             long c1) {
    switch (call->rows) {
    case 1: few_rows_of(1, dtype, call, c0, c1); break;
    case 2: few_rows_of(2, dtype, call, c0, c1); break;
    case 3: few_rows_of(3, dtype, call, c0, c1); break;
    default: few_rows_of(4, dtype, call, c0, c1); break;
    }
}

CK_TARGET_AVX2 void ck_quantized_few_rows_avx2(const outer_call *call, long c0, long c1) {
    switch (call->dtype) {
    case CK_INT8: few_rows_typed(CK_INT8, call, c0, c1); break;
    case CK_INT4: few_rows_typed(CK_INT4, call, c0, c1); break;
    default: few_rows_typed(CK_NF4, call, c0, c1); break;
    }
}
#endif
