// Quantising a weight, and its rows as f32 again. A task is a panel of rows; results have the same
// bits with every instruction set, so that a cached weight is the same on every machine.
#include <math.h>
#include <stdbool.h>

#include "quantized_layout.h"
#include "task.h"

#pragma clang fp contract(off)

typedef float eight __attribute__((vector_size(32)));
typedef int32_t eight_words __attribute__((vector_size(32)));

// A group of one row.
typedef union {
    float values[CK_GROUP];
    eight vectors[CK_GROUP / 8];
} group_values;

// Codes of a panel's group, [row][depth].
typedef uint8_t group_codes[CK_PANEL][CK_GROUP];

// The nearest whole numbers within bounds, as floats: adding and taking away 1.5 * 2^23 rounds to
// nearest even. A macro since a vector is no argument where the instruction set lacks its size.
#define NEAREST(values, least, most)                                                               \
    __builtin_elementwise_min(                                                                     \
        __builtin_elementwise_max(((values) + 12582912.0f) - 12582912.0f, (eight){} + (least)),    \
        (eight){} + (most))

CK_INLINE float sum_of_lanes(const eight *v) {
    float low = ((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3]);
    float high = ((*v)[4] + (*v)[5]) + ((*v)[6] + (*v)[7]);
    return low + high;
}

// A scale of 15 significant bits.
CK_INLINE float short_scale(float scale) {
    return ck_float_of_bits((ck_bits_of_float(scale) + 0x100u) & ~0x1ffu);
}

// The element of largest size.
CK_INLINE float extreme_of(const group_values *group) {
    float extreme = 0;
    for (int k = 0; k < CK_GROUP; k++) {
        float value = group->values[k];
        if (__builtin_fabsf(value) > __builtin_fabsf(extreme)) extreme = value;
    }
    return extreme;
}

CK_INLINE float quantize_int8(const group_values *group, float extreme, uint8_t *codes) {
    float scale = short_scale(__builtin_fabsf(extreme) / 127), inverse = 1 / scale;
    for (int i = 0; i < CK_GROUP / 8; i++) {
        eight q = NEAREST(group->vectors[i] * inverse, -127, 127);
        for (int lane = 0; lane < 8; lane++) codes[8 * i + lane] = (uint8_t)(int8_t)q[lane];
    }
    return scale;
}

// Of some scales that put the extreme at about the lowest level, the one of least squared error;
// then, with its codes, the scale that fits them best.
CK_INLINE float quantize_int4(const group_values *group, float extreme, uint8_t *codes) {
    static const float lowest[] = {-8, -7, -7.5f, -8.5f, -9, -9.75f, -10.5f};
    float best = 0, least = INFINITY;
    for (unsigned candidate = 0; candidate < sizeof lowest / sizeof *lowest; candidate++) {
        float scale = extreme / lowest[candidate], inverse = 1 / scale;
        eight squares = {};
        for (int i = 0; i < CK_GROUP / 8; i++) {
            eight q = NEAREST(group->vectors[i] * inverse, -8, 7);
            eight error = group->vectors[i] - q * scale;
            squares += error * error;
        }
        float error = sum_of_lanes(&squares);
        if (error < least) least = error, best = scale;
    }
    float inverse = 1 / best;
    eight products = {}, squares = {};
    for (int i = 0; i < CK_GROUP / 8; i++) {
        eight q = NEAREST(group->vectors[i] * inverse, -8, 7);
        products += group->vectors[i] * q;
        squares += q * q;
        for (int lane = 0; lane < 8; lane++) codes[8 * i + lane] = (uint8_t)((int)q[lane] + 8);
    }
    return short_scale(sum_of_lanes(&products) / sum_of_lanes(&squares));
}

// The nearest level: as many as there are midpoints below the value.
CK_INLINE float quantize_nf4(const group_values *group, float extreme, uint8_t *codes) {
    float scale = short_scale(__builtin_fabsf(extreme) / 32767), inverse = 1 / scale;
    for (int i = 0; i < CK_GROUP / 8; i++) {
        eight level = group->vectors[i] * inverse;
        eight_words code = {};
        for (int q = 0; q < 15; q++) {
            float middle = 0.5f * (float)(ck_nf4_levels[q] + ck_nf4_levels[q + 1]);
            code -= level > middle; // true is -1
        }
        for (int lane = 0; lane < 8; lane++) codes[8 * i + lane] = (uint8_t)code[lane];
    }
    return scale;
}

typedef struct {
    long N, K;
    const void *source;
    ck_dtype source_dtype, dtype;
    uint32_t *words;
    float *scales;
    _Atomic bool failed;
} quantize_call;

CK_INLINE bool quantize_group(ck_dtype dtype, const group_values *group, uint8_t *codes,
                              float *scale) {
    for (int k = 0; k < CK_GROUP; k++) {
        if (!(__builtin_fabsf(group->values[k]) < 0x1p60f)) return false; // squares stay finite
    }
    float extreme = extreme_of(group);
    if (__builtin_fabsf(extreme) < 0x1p-100f) {
        memset(codes, dtype == CK_INT8 ? 0 : dtype == CK_INT4 ? 8 : 7, CK_GROUP);
        *scale = 0;
        return true;
    }
    switch (dtype) {
    case CK_INT8: *scale = quantize_int8(group, extreme, codes); break;
    case CK_INT4: *scale = quantize_int4(group, extreme, codes); break;
    default: *scale = quantize_nf4(group, extreme, codes); break;
    }
    return true;
}

// Puts a group's codes into words.
CK_INLINE void pack_codes(ck_dtype dtype, group_codes codes, uint32_t *words) {
    const long depth = ck_word_depth(dtype), bits = 32 / depth;
    for (long i = 0; i < CK_GROUP / depth; i++) {
        for (long row = 0; row < CK_PANEL; row++) {
            uint32_t word = 0;
            for (long j = 0; j < depth; j++) {
                word |= (uint32_t)codes[row][i * depth + j] << (bits * j);
            }
            words[i * CK_PANEL + row] = word;
        }
    }
}

CK_INLINE void load_group(const quantize_call *call, long n, long k, group_values *group) {
    memset(group, 0, sizeof *group);
    if (n >= call->N) return;
    long count = ck_min(CK_GROUP, call->K - k), start = n * call->K + k;
    switch (call->source_dtype) {
    case CK_F16:
        for (long i = 0; i < count; i++) {
            group->values[i] = ck_load(call->source, CK_F16, start + i);
        }
        break;
    case CK_BF16:
        for (long i = 0; i < count; i++) {
            group->values[i] = ck_load(call->source, CK_BF16, start + i);
        }
        break;
    default:
        memcpy(group->values, (const float *)call->source + start,
               (size_t)count * sizeof(float));
    }
}

CK_INLINE void quantize_panel_of(ck_dtype dtype, quantize_call *call, long panel) {
    uint32_t *words = call->words + panel * ck_panel_words(call->K, dtype);
    float *scales = call->scales + panel * ck_panel_scales(call->K);
    for (long k = 0; k < call->K; k += CK_GROUP) {
        group_codes codes;
        for (long row = 0; row < CK_PANEL; row++) {
            group_values group;
            load_group(call, panel * CK_PANEL + row, k, &group);
            if (!quantize_group(dtype, &group, codes[row], scales + row)) {
                call->failed = true;
                return;
            }
        }
        pack_codes(dtype, codes, words);
        words += CK_GROUP / ck_word_depth(dtype) * CK_PANEL;
        scales += CK_PANEL;
    }
}

CK_INLINE void quantize_panel(void *context, long task) {
    quantize_call *call = context;
    switch (call->dtype) {
    case CK_INT8: quantize_panel_of(CK_INT8, call, task); break;
    case CK_INT4: quantize_panel_of(CK_INT4, call, task); break;
    default: quantize_panel_of(CK_NF4, call, task); break;
    }
}
CK_TASK(quantize_panel)

int ck_quantize(long N, long K, const void *source, ck_dtype source_dtype, ck_dtype dtype,
                uint32_t *words, float *scales) {
    quantize_call call = {N, K, source, source_dtype, dtype, words, scales, false};
    quantize_panel_run(ck_divide_up(N, CK_PANEL), &call);
    return !call.failed;
}

// MARK: Rows

typedef struct {
    long rows, K, first;
    ck_weight weight;
    float *y;
} rows_call;

CK_INLINE void widen_rows(void *context, long task) {
    const rows_call *call = context;
    ck_range rows = ck_piece(task, ck_rows_per_task(call->K), call->rows);
    for (long i = rows.begin; i < rows.end; i++) {
        ck_weight_row(call->weight, call->K, call->first + i, call->y + i * call->K);
    }
}
CK_TASK(widen_rows)

void ck_weight_rows(long rows, long K, ck_weight weight, long first, float *y) {
    rows_call call = {rows, K, first, weight, y};
    widen_rows_run(ck_divide_up(rows, ck_rows_per_task(K)), &call);
}
