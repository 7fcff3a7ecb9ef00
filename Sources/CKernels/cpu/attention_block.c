// See attention_block.h. The product of two blocks is computed in tiles of up to 6 rows by 16
// columns (32 with AVX-512) whose sums stay in registers over the whole depth.
#include "attention_block.h"

#include <math.h>

#include "../include/parallel.h"
#include "isa.h"
#include "vector_math.h"

typedef float v4 __attribute__((vector_size(16), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t i4 __attribute__((vector_size(16)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef int32_t i16 __attribute__((vector_size(64)));

enum { MOST_ROWS = 6, MOST_VECTORS = 2, STEPS = 4 };

// MARK: Product

// Keeps an address in a register. Left alone, the compiler works out the addresses of the steps
// ahead, by chains of additions or into more registers than there are.
#define KEEP(address) __asm__("" : "+r"(address))

// One step of the depth. (Not a function: a vector wider than the baseline's cannot be passed.)
#define ADD_STEP                                                                                   \
    {                                                                                              \
        v16 column[MOST_VECTORS];                                                                  \
        CK_UNROLL for (long j = 0; j < vectors; j++) column[j] = *(const v16 *)(b + j * CK_LANES); \
        CK_UNROLL for (long i = 0; i < rows; i++) {                                                \
            CK_UNROLL for (long j = 0; j < vectors; j++) sum[i][j] += a[row[i]] * column[j];       \
        }                                                                                          \
        a += a_column;                                                                             \
        b += ldb;                                                                                  \
        KEEP(a);                                                                                   \
        KEEP(b);                                                                                   \
    }

// `rows` and `vectors` are constants once inlined, so that `sum` is registers. Steps go by four:
// the exit of a loop of 32 or 64 rounds is mispredicted every time.
CK_INLINE void multiply_tile(const long rows, const long vectors, const ck_product *p,
                             const float *a, const float *b, float *c) {
    const long a_column = p->a_column, ldb = p->ldb, ldc = p->ldc;
    long row[MOST_ROWS];
    CK_UNROLL for (long i = 0; i < rows; i++) {
        row[i] = i * p->a_row;
        KEEP(row[i]);
    }
    v16 sum[MOST_ROWS][MOST_VECTORS];
    CK_UNROLL for (long i = 0; i < rows; i++) {
        CK_UNROLL for (long j = 0; j < vectors; j++) {
            if (p->accumulate) {
                sum[i][j] = *(const v16 *)(c + i * ldc + j * CK_LANES);
            } else {
                sum[i][j] = (v16){0};
            }
        }
    }
    long k = p->depth;
    for (; k >= STEPS; k -= STEPS) {
        CK_UNROLL for (long step = 0; step < STEPS; step++) ADD_STEP
    }
    for (; k > 0; k--) ADD_STEP
    CK_UNROLL for (long i = 0; i < rows; i++) {
        CK_UNROLL for (long j = 0; j < vectors; j++) {
            *(v16 *)(c + i * ldc + j * CK_LANES) = sum[i][j];
        }
    }
}

CK_INLINE void multiply_columns(const long rows, const long vectors, const ck_product *p,
                                const float *a, float *c) {
    long j = 0;
    for (; j + vectors * CK_LANES <= p->columns; j += vectors * CK_LANES) {
        multiply_tile(rows, vectors, p, a, p->b + j, c + j);
    }
    if (vectors > 1) {
        for (; j < p->columns; j += CK_LANES) multiply_tile(rows, 1, p, a, p->b + j, c + j);
    }
}

// The rows are shared evenly among the fewest tiles: 7 are 4 + 3 and not 6 + 1.
CK_INLINE void multiply(const long tile_rows, const long vectors, const ck_product *p) {
    long tiles = ck_divide_up(p->rows, tile_rows), row = 0;
    for (long tile = 0; tile < tiles; tile++) {
        long rows = (p->rows - row + tiles - tile - 1) / (tiles - tile);
        const float *a = p->a + row * p->a_row;
        float *c = p->c + row * p->ldc;
        switch (rows) {
        case 6: multiply_columns(6, vectors, p, a, c); break;
        case 5: multiply_columns(5, vectors, p, a, c); break;
        case 4: multiply_columns(4, vectors, p, a, c); break;
        case 3: multiply_columns(3, vectors, p, a, c); break;
        case 2: multiply_columns(2, vectors, p, a, c); break;
        default: multiply_columns(1, vectors, p, a, c); break;
        }
        row += rows;
    }
}

// MARK: Transposition

// 8 rows by 4 columns: halves of 4 rows side by side, then 4 x 4 within each half.
CK_INLINE void transpose_8x4(const float *rows, long stride, float *out) {
    v8 pair[4];
    CK_UNROLL for (long i = 0; i < 4; i++) {
        v4 low = *(const v4 *)(rows + i * stride), high = *(const v4 *)(rows + (i + 4) * stride);
        pair[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    v8 a = __builtin_shufflevector(pair[0], pair[1], 0, 8, 1, 9, 4, 12, 5, 13);
    v8 b = __builtin_shufflevector(pair[0], pair[1], 2, 10, 3, 11, 6, 14, 7, 15);
    v8 c = __builtin_shufflevector(pair[2], pair[3], 0, 8, 1, 9, 4, 12, 5, 13);
    v8 d = __builtin_shufflevector(pair[2], pair[3], 2, 10, 3, 11, 6, 14, 7, 15);
    *(v8 *)(out + 0 * CK_KEY_BLOCK) = __builtin_shufflevector(a, c, 0, 1, 8, 9, 4, 5, 12, 13);
    *(v8 *)(out + 1 * CK_KEY_BLOCK) = __builtin_shufflevector(a, c, 2, 3, 10, 11, 6, 7, 14, 15);
    *(v8 *)(out + 2 * CK_KEY_BLOCK) = __builtin_shufflevector(b, d, 0, 1, 8, 9, 4, 5, 12, 13);
    *(v8 *)(out + 3 * CK_KEY_BLOCK) = __builtin_shufflevector(b, d, 2, 3, 10, 11, 6, 7, 14, 15);
}

CK_INLINE void transpose(long count, long D, const float *rows, long stride, float *out) {
    long n = 0;
    for (; n + 8 <= count; n += 8) {
        const float *source = rows + n * stride;
        long d = 0;
        for (; d + 4 <= D; d += 4) transpose_8x4(source + d, stride, out + d * CK_KEY_BLOCK + n);
        for (; d < D; d++) {
            for (long i = 0; i < 8; i++) out[d * CK_KEY_BLOCK + n + i] = source[i * stride + d];
        }
    }
    for (; n < count; n++) {
        for (long d = 0; d < D; d++) out[d * CK_KEY_BLOCK + n] = rows[n * stride + d];
    }
}

// MARK: Softmax

// Lane by lane: a where the mask is set and b elsewhere.
#define CHOOSE(vector, mask, a, b)                                                                 \
    ((vector)(((mask) & (__typeof__(mask))(a)) | (~(mask) & (__typeof__(mask))(b))))
// The larger one, without the care for NaN that the built-in takes: a row with a NaN comes out NaN
// whichever is chosen.
#define LARGER(vector, a, b) CHOOSE(vector, (a) > (b), a, b)

// Puts `value` where a row at `position` does not see the key.
CK_INLINE void mask_row(float *row, float value, long position, long window, long first_key) {
    int32_t last = (int32_t)ck_min(position - first_key, CK_KEY_BLOCK);
    int32_t first = window > 0 ? (int32_t)ck_max(position - window + 1 - first_key, 0) : 0;
    if (first == 0 && last >= CK_KEY_BLOCK - 1) return;
    i16 n = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    v16 hidden = {0};
    hidden += value;
    for (long i = 0; i < CK_KEY_BLOCK; i += CK_LANES) {
        v16 *part = (v16 *)(row + i);
        i16 seen = (n >= first) & (n <= last);
        *part = CHOOSE(v16, seen, *part, hidden);
        n += CK_LANES;
    }
}

// exp for scores below their maximum, so that 2^n is one factor: x is at most little above 0, and
// what is below exp(-87) becomes 0. Otherwise as ck_exp.
CK_INLINE float exp_of_score(float x) {
    const float shift = 0x1.8p23f, least = -87.0f;
    float bounded = x < least ? least : x;
    float shifted = bounded * 0x1.715476p0f + shift;
    float n = shifted - shift;
    float r = bounded - n * 0x1.62e4p-1f;
    r = r - n * 0x1.7f7d1cp-20f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    float power = ck_float_of_bits((ck_bits_of_float(shifted) + 127) << 23);
    return x < least ? 0.0f : p * power;
}

// row[n] = exp(row[n] - shift), four vectors at a time: one alone waits for its own results.
CK_INLINE void exponentiate(float *restrict row, float shift) {
#pragma clang loop interleave_count(4)
    for (long n = 0; n < CK_KEY_BLOCK; n++) row[n] = exp_of_score(row[n] - shift);
}

CK_INLINE float largest_score(const float *row) {
    v16 a = *(const v16 *)row, b = *(const v16 *)(row + CK_LANES);
    v16 lanes = LARGER(v16, a, b);
    v8 low = __builtin_shufflevector(lanes, lanes, 0, 1, 2, 3, 4, 5, 6, 7);
    v8 high = __builtin_shufflevector(lanes, lanes, 8, 9, 10, 11, 12, 13, 14, 15);
    v8 half = LARGER(v8, low, high);
    v4 first = __builtin_shufflevector(half, half, 0, 1, 2, 3);
    v4 second = __builtin_shufflevector(half, half, 4, 5, 6, 7);
    v4 quarter = LARGER(v4, first, second);
    v4 turned = __builtin_shufflevector(quarter, quarter, 2, 3, 0, 1);
    v4 pair = LARGER(v4, quarter, turned);
    return pair[0] > pair[1] ? pair[0] : pair[1];
}

// In passes over the rows, so that one row's chain of operations overlaps with the next one's.
CK_INLINE void softmax(const ck_query_rows *rows, long begin, long end, long first_key) {
    const long width = rows->width;
    float *restrict maximum = rows->maximum, *restrict factor = rows->factors;
    for (long r = begin; r < end; r++) {
        float *row = rows->scores + r * CK_KEY_BLOCK;
        mask_row(row, -INFINITY, rows->positions[r], rows->window, first_key);
        float here = largest_score(row), before = maximum[r];
        maximum[r] = here > before ? here : before;
        factor[r] = before - maximum[r];
    }
    for (long r = begin; r < end; r++) factor[r] = exp_of_score(factor[r]);
    for (long r = begin; r < end; r++) {
        exponentiate(rows->scores + r * CK_KEY_BLOCK, maximum[r]);
    }
    for (long r = begin; r < end; r++) {
        const float *row = rows->scores + r * CK_KEY_BLOCK;
        v16 *sum = (v16 *)(rows->sums + r * CK_LANES);
        *sum = *sum * factor[r] + (*(const v16 *)row + *(const v16 *)(row + CK_LANES));
        if (factor[r] == 1) continue;
        float *restrict out = rows->out + r * width;
        for (long d = 0; d < width; d += CK_LANES) *(v16 *)(out + d) *= factor[r];
    }
}

CK_INLINE void gradient(const ck_score_gradient *g) {
    for (long r = g->begin; r < g->end; r++) {
        float *restrict row = g->scores + r * CK_KEY_BLOCK;
        float *restrict slope = g->slopes + r * CK_KEY_BLOCK;
        float lse = g->lse[r], delta = g->delta[r];
        exponentiate(row, lse);
        for (long n = 0; n < CK_KEY_BLOCK; n++) slope[n] = row[n] * (slope[n] - delta);
        mask_row(row, 0, g->positions[r], g->window, g->first_key);
        mask_row(slope, 0, g->positions[r], g->window, g->first_key);
    }
}

// MARK: Instruction sets

#define BLOCK_KERNELS(isa, target, tile_rows, vectors)                                             \
    target static void multiply_##isa(const ck_product *p) { multiply(tile_rows, vectors, p); }    \
    target static void transpose_##isa(long count, long D, const float *rows, long stride,         \
                                       float *out) {                                               \
        transpose(count, D, rows, stride, out);                                                    \
    }                                                                                              \
    target static void softmax_##isa(const ck_query_rows *rows, long begin, long end,              \
                                     long first_key) {                                             \
        softmax(rows, begin, end, first_key);                                                      \
    }                                                                                              \
    target static void gradient_##isa(const ck_score_gradient *g) { gradient(g); }                 \
    static const ck_block_kernels kernels_##isa = {multiply_##isa, transpose_##isa, softmax_##isa, \
                                                   gradient_##isa};

#if CK_HAS_X86
BLOCK_KERNELS(portable, , 3, 1)
BLOCK_KERNELS(avx2, CK_TARGET_AVX2, 6, 1)
BLOCK_KERNELS(avx512, CK_TARGET_AVX512, 6, 2)
#else
BLOCK_KERNELS(portable, , 6, 1)
#endif

const ck_block_kernels *ck_block_kernels_in_use(void) {
    switch (ck_isa_in_use()) {
#if CK_HAS_X86
    case CK_ISA_AVX512: return &kernels_avx512;
    case CK_ISA_AVX2: return &kernels_avx2;
#endif
    default: return &kernels_portable;
    }
}

// MARK: Attending

ck_query_rows ck_query_rows_make(long rows, long D, long window) {
    long width = ck_round_up(D, CK_LANES);
    long sizes[] = {rows * CK_KEY_BLOCK, rows * width,  rows * CK_LANES,     rows * D, rows,
                    rows, D * CK_KEY_BLOCK, CK_KEY_BLOCK * width, rows};
    float *parts[sizeof sizes / sizeof *sizes];
    long total = 0, count = sizeof sizes / sizeof *sizes;
    for (long i = 0; i < count; i++) total += ck_round_up(sizes[i], CK_LANES);
    float *next = ck_scratch(5, (size_t)total * sizeof(float));
    for (long i = 0; i < count; i++) {
        parts[i] = next;
        next += ck_round_up(sizes[i], CK_LANES);
    }
    return (ck_query_rows){.rows = rows, .D = D, .width = width, .window = window,
                           .scores = parts[0], .out = parts[1], .sums = parts[2], .q = parts[3],
                           .maximum = parts[4], .positions = (int32_t *)parts[5],
                           .keys = parts[6], .padded = parts[7], .factors = parts[8]};
}

long ck_first_key(long position, long window) {
    long first = window > 0 ? ck_max(0, position - window + 1) : 0;
    return first / CK_KEY_BLOCK * CK_KEY_BLOCK;
}

ck_row_range ck_rows_seeing(long rows, const int32_t *positions, long window, long first_key) {
    long begin = 0, end = rows;
    while (begin < rows && positions[begin] < first_key) begin++;
    if (window > 0) {
        while (end > begin && positions[end - 1] - window + 1 >= first_key + CK_KEY_BLOCK) end--;
    }
    return (ck_row_range){begin, end};
}

// MARK: Blocks of keys

ck_key_block ck_key_block_at(const ck_key_source *source, long first, long count) {
    ck_key_block block;
    block.count = count;
    block.stride = source->stride;
    block.run_count = 0;
    while (count > 0) {
        long offset = first * source->stride, size = count;
        if (source->table != nullptr) {
            long within = first % source->block_size;
            offset = source->table[first / source->block_size] * source->block_stride +
                     within * source->stride;
            size = ck_min(source->block_size - within, count);
        } else if (first < source->prefix) {
            offset -= source->gap;
            size = ck_min(source->prefix - first, count);
        }
        block.runs[block.run_count].offset = offset;
        block.runs[block.run_count].count = size;
        block.run_count++;
        first += size;
        count -= size;
    }
    return block;
}

void ck_transpose_block(const ck_block_kernels *kernels, const ck_key_block *block,
                        const float *base, long D, float *out) {
    if (block->count < CK_KEY_BLOCK) memset(out, 0, (size_t)(D * CK_KEY_BLOCK) * sizeof(float));
    for (long i = 0; i < block->run_count; i++) {
        long count = block->runs[i].count;
        kernels->transpose(count, D, base + block->runs[i].offset, block->stride, out);
        out += count;
    }
}

void ck_add_weighted_block(const ck_block_kernels *kernels, const ck_query_rows *rows,
                           ck_row_range seeing, const float *weights, const ck_key_block *block,
                           const float *base) {
    ck_product product = {
        .rows = seeing.end - seeing.begin,
        .columns = rows->width,
        .a = weights + seeing.begin * CK_KEY_BLOCK,
        .a_row = CK_KEY_BLOCK,
        .a_column = 1,
        .c = rows->out + seeing.begin * rows->width,
        .ldc = rows->width,
        .accumulate = 1,
    };
    for (long i = 0; i < block->run_count; i++) {
        product.depth = block->runs[i].count;
        product.b = base + block->runs[i].offset;
        product.ldb = block->stride;
        // Packed values of several heads are far apart and would share few lines of the cache.
        // Those of a D that is no multiple of CK_LANES would be read beyond their end, whatever
        // the stride.
        if (rows->width != block->stride || rows->width != rows->D) {
            for (long n = 0; n < product.depth; n++) {
                float *padded = rows->padded + n * rows->width;
                memcpy(padded, product.b + n * block->stride, (size_t)rows->D * sizeof(float));
                for (long d = rows->D; d < rows->width; d++) padded[d] = 0;
            }
            product.b = rows->padded;
            product.ldb = rows->width;
        }
        kernels->multiply(&product);
        product.a += product.depth;
    }
}

// A cache's blocks lie anywhere: asks for the next ones while this one is worked on.
static void prefetch(const ck_key_source *source, long first, long count) {
    ck_key_block block = ck_key_block_at(source, first, count);
    for (long i = 0; i < block.run_count; i++) {
        const float *keys = source->keys + block.runs[i].offset;
        const float *values = source->values + block.runs[i].offset;
        for (long at = 0; at < block.runs[i].count * source->stride; at += CK_LANES) {
            __builtin_prefetch(keys + at, 0, 2);
            __builtin_prefetch(values + at, 0, 2);
        }
    }
}

static void attend_block(const ck_block_kernels *kernels, const ck_query_rows *rows,
                         const ck_key_source *source, long first_key, long count) {
    ck_row_range seeing = ck_rows_seeing(rows->rows, rows->positions, rows->window, first_key);
    if (seeing.begin == seeing.end) return;
    ck_key_block block = ck_key_block_at(source, first_key, count);
    ck_transpose_block(kernels, &block, source->keys, rows->D, rows->keys);
    ck_product scores = {
        .rows = seeing.end - seeing.begin,
        .columns = ck_round_up(count, CK_LANES), // the softmax masks the rest
        .depth = rows->D,
        .a = rows->q + seeing.begin * rows->D,
        .a_row = rows->D,
        .a_column = 1,
        .b = rows->keys,
        .ldb = CK_KEY_BLOCK,
        .c = rows->scores + seeing.begin * CK_KEY_BLOCK,
        .ldc = CK_KEY_BLOCK,
    };
    kernels->multiply(&scores);
    kernels->softmax(rows, seeing.begin, seeing.end, first_key);
    ck_add_weighted_block(kernels, rows, seeing, rows->scores, &block, source->values);
}

void ck_attend(const ck_block_kernels *kernels, const ck_query_rows *rows,
               const ck_key_source *source) {
    memset(rows->out, 0, (size_t)(rows->rows * rows->width) * sizeof(float));
    memset(rows->sums, 0, (size_t)(rows->rows * CK_LANES) * sizeof(float));
    for (long r = 0; r < rows->rows; r++) rows->maximum[r] = -INFINITY;
    long keys = rows->positions[rows->rows - 1] + 1;
    for (long first = ck_first_key(rows->positions[0], rows->window); first < keys;
         first += CK_KEY_BLOCK) {
        long next = first + CK_KEY_BLOCK;
        if (source->table != nullptr && next < keys) {
            prefetch(source, next, ck_min(CK_KEY_BLOCK, keys - next));
        }
        attend_block(kernels, rows, source, first, ck_min(CK_KEY_BLOCK, keys - first));
    }
}

float ck_query_row_finish(const ck_query_rows *rows, long r, float *restrict destination) {
    float *restrict sums = rows->sums + r * CK_LANES;
    const float *restrict out = rows->out + r * rows->width;
    for (long half = CK_LANES / 2; half > 0; half /= 2) {
        for (long i = 0; i < half; i++) sums[i] += sums[i + half];
    }
    float inverse = 1 / sums[0];
    for (long d = 0; d < rows->D; d++) destination[d] = out[d] * inverse;
    return rows->maximum[r] + ck_log(sums[0]);
}

long ck_sequence_of_task(long S, const long *first, long task) {
    long low = 0, high = S - 1;
    while (low < high) {
        long middle = (low + high + 1) / 2;
        if (first[middle] <= task) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}
