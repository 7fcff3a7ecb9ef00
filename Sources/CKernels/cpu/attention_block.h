// The block arithmetic that packed and paged attention share, so that both give the same bits.
//
// A block of query rows (all query heads of one kv head, token by token) meets the keys of its
// sequence in blocks of CK_KEY_BLOCK, counted from the sequence's first token. Every result of a
// row is summed in one order that depends on the row's own sequence alone:
//   score  = sum over d in order, one multiply-add each
//   sum    = 16 partial sums by key % 16, rescaled as the maximum grows, added pairwise at the end
//   output = sum over keys in order, one multiply-add each, rescaled likewise
// Neither how rows are grouped, nor where the keys are stored, nor how many rows there are shows.
// Keys that a row does not see have weight 0 and change nothing, unless their value is not finite.
#pragma once
#include <stdint.h>

#include "../include/cpu_features.h"

enum {
    CK_KEY_BLOCK = 32,
    CK_ROW_BLOCK = 96, // query rows of one task
    CK_LANES = 16,     // rows of outputs and gradients are padded to a multiple of this
};

// c[i, j] (+)= sum_k a[i * a_row + k * a_column] * b[k * ldb + j] for i < rows, j < columns, a
// multiple of CK_LANES; each element is summed in the order of k.
typedef struct ck_product {
    long rows, columns, depth;
    const float *a;
    long a_row, a_column;
    const float *b;
    long ldb;
    float *c;
    long ldc;
    int accumulate;
} ck_product;

// The query rows of one task and the state of their softmax.
typedef struct ck_query_rows {
    long rows, D, width;   // width: D padded
    long window;
    float *q;              // [rows, D], scaled
    float *scores;         // [rows, CK_KEY_BLOCK]
    float *out;            // [rows, width]
    float *maximum;        // [rows]
    float *factors;        // [rows], what the sums so far are rescaled by at this block
    float *sums;           // [rows, CK_LANES]
    int32_t *positions;    // [rows], in the sequence; ascending
    float *keys;           // [D, CK_KEY_BLOCK], the transposed keys of the current block
    float *padded;         // [CK_KEY_BLOCK, width], a run of keys or values
} ck_query_rows;

// Gradient of the scores of a block: scores become probabilities p = exp(score - lse), slopes
// (dout . v) become p * (slope - delta). Both are 0 where a row does not see a key.
typedef struct ck_score_gradient {
    long begin, end, first_key, window;
    const int32_t *positions;
    const float *lse, *delta;
    float *scores, *slopes; // [rows, CK_KEY_BLOCK]
} ck_score_gradient;

// The kernels of one instruction set.
typedef struct ck_block_kernels {
    void (*multiply)(const ck_product *product);
    // out[d, n] = rows[n * stride + d] for n < count; out has rows of CK_KEY_BLOCK.
    void (*transpose)(long count, long D, const float *rows, long stride, float *out);
    // One step of the online softmax for the rows begin ..< end.
    void (*softmax)(const ck_query_rows *rows, long begin, long end, long first_key);
    void (*gradient)(const ck_score_gradient *gradient);
} ck_block_kernels;

const ck_block_kernels *ck_block_kernels_in_use(void);

// Where the keys and values of one kv head of one sequence lie: at a stride (packed), or in the
// blocks that a table names (paged). The first `prefix` keys of a packed sequence may be those of
// an earlier one, `gap` numbers before the place where they would lie otherwise.
typedef struct ck_key_source {
    const float *keys, *values; // of the sequence's first token
    long stride;
    long prefix, gap;
    const int32_t *table; // null: packed
    long block_size, block_stride;
} ck_key_source;

// One block of keys as runs that each lie at one stride: offsets from a source's keys and values.
typedef struct ck_key_block {
    long count, stride, run_count;
    struct {
        long offset, count;
    } runs[CK_KEY_BLOCK];
} ck_key_block;

// The keys first ..< first + count, at most CK_KEY_BLOCK.
ck_key_block ck_key_block_at(const ck_key_source *source, long first, long count);

// Takes the scratch of the calling thread (slot 5) for `rows` query rows.
ck_query_rows ck_query_rows_make(long rows, long D, long window);

// Attends from the rows to all keys they see. q and positions must be set; out, maximum and sums
// receive the result, before the division by the sum.
void ck_attend(const ck_block_kernels *kernels, const ck_query_rows *rows,
               const ck_key_source *source);

// Writes row r's result, out / sum, to `destination` [D]; returns the log of the denominator.
float ck_query_row_finish(const ck_query_rows *rows, long r, float *destination);

// The rows that see a key of the block at `first_key`: begin ..< end.
typedef struct ck_row_range {
    long begin, end;
} ck_row_range;
ck_row_range ck_rows_seeing(long rows, const int32_t *positions, long window, long first_key);

// The first key block that a row at `position` sees.
long ck_first_key(long position, long window);

// Transposes the block's rows at `base`, a source's keys or values, to out [D, CK_KEY_BLOCK], 0 in
// the columns from the block's count on.
void ck_transpose_block(const ck_block_kernels *kernels, const ck_key_block *block,
                        const float *base, long D, float *out);

// rows->out of the rows `seeing` += weights [rows, CK_KEY_BLOCK] . the block's rows at `base`.
void ck_add_weighted_block(const ck_block_kernels *kernels, const ck_query_rows *rows,
                           ck_row_range seeing, const float *weights, const ck_key_block *block,
                           const float *base);

// The sequence whose tasks, first[s] ..< first[s + 1], contain `task`.
long ck_sequence_of_task(long S, const long *first, long task);
