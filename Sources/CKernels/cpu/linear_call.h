// What the kernels of one vector width are asked to do, and how they are reached; see linear.c.
#pragma once
#include <stdbool.h>

#include "../include/dtype.h"

// Blocking. No block size but REDUCTION_BLOCK and OUTER_DEPTH has an influence on any bit.
enum {
    DOT_ROWS = 3,           // rows of x in one dot tile...
    DOT_COLUMNS = 4,        // ...and rows of W: 12 sums and 4 operands fill 16 registers
    REDUCTION_STEP = 16,    // reduction blocks are multiples of the widest vector
    REDUCTION_BLOCK = 1024, // most of K that is summed in lanes before lanes are added together
    DOT_TILE_ROWS = 96,     // rows of x packed at once, to stay in the L2 cache
    DOT_TILE_COLUMNS = 256,
    OUTER_ROWS = 6,         // rows of an outer-product tile; its columns are two vectors
    OUTER_DEPTH = 384,      // depth of one pass
    OUTER_TILE_ROWS = 192,
    OUTER_TILE_COLUMNS = 512,
};

// out = (accumulate ? out : 0) + scale * sum + bias
typedef struct {
    float *data;
    long stride;
    float scale;
    bool accumulate;
    const void *bias; // [columns] or null
    ck_dtype bias_dtype;
} linear_output;

// y = x W^T by dot products.
typedef struct {
    long M, N, K;
    const float *x;
    long ldx;
    const void *W;
    ck_dtype dtype;
    linear_output out;
    // Few rows only: all of x packed by the caller, in groups of DOT_ROWS.
    const float *packed;
} dot_call;

// out[r, c] = sum_d a(r, d) * b(d, c) by outer products.
typedef struct {
    long rows, columns, depth;
    const float *a; // a(r, d) = a[r * a_row + d * a_depth]; one of both strides is 1
    long a_row, a_depth;
    const void *b; // b(d, c) = b[d * ldb + c], or b[c * ldb + d] when transposed
    long ldb;
    ck_dtype dtype;
    bool transposed;
    linear_output out;
} outer_call;

// The kernels of one vector width.
typedef struct {
    long lanes;
    // Packs `rows` rows of x as the dot tiles read them; needs rows * padded K floats.
    void (*pack_x)(long rows, long K, const float *x, long ldx, float *packed);
    // Columns n0..<n1 of y for few rows; reads W straight from memory.
    void (*dot_few_rows)(const dot_call *call, long n0, long n1);
    // Rows m0..<m1 and columns n0..<n1 of y; widens W into scratch first.
    void (*dot_tile)(const dot_call *call, long m0, long m1, long n0, long n1);
    void (*outer_tile)(const outer_call *call, long r0, long r1, long c0, long c1);
} linear_kernels;

// Splits K into equal blocks of at most REDUCTION_BLOCK: a function of K alone.
static inline long reduction_block(long K) {
    long blocks = (K + REDUCTION_BLOCK - 1) / REDUCTION_BLOCK;
    long each = (K + blocks - 1) / (blocks > 0 ? blocks : 1);
    return (each + REDUCTION_STEP - 1) / REDUCTION_STEP * REDUCTION_STEP;
}
