// What the kernels of one vector width are asked to do, and how they are reached; see linear.c.
#pragma once
#include <stdbool.h>

#include "../include/weight.h"

// Blocking. Only OUTER_DEPTH has an influence on bits.
enum {
    FEW_ROWS = 2,        // up to which b is turned in registers and used at once
    OUTER_ROWS = 6,      // of a tile; with two vectors of columns, 12 sums and 3 operands fit
    OUTER_DEPTH = 384,   // of one pass: a packed panel of b stays in the L1 cache...
    TILE_ROWS = 192,     // ...and a packed block of a in the L2 cache
    TILE_COLUMNS = 512,
    BATCH_COLUMNS = 6,   // of a tile whose vectors are rows of a; b is widened...
    BATCH_STRIP = 64,    // ...so many elements of a column at a time
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

// out[r, c] = sum_d a(r, d) * b(d, c)
typedef struct {
    long rows, columns, depth;
    const float *a; // a(r, d) = a[r * a_row + d * a_depth]; one of both strides is 1
    long a_row, a_depth;
    const void *b; // b(d, c) = b[d * ldb + c], or b[c * ldb + d] when transposed
    long ldb;
    ck_dtype dtype;
    const float *scales; // of quantised b, which is then [N, K] in panels, else null
    bool transposed;
    const float *packed; // all of a as `batch` needs it
    linear_output out;
} outer_call;

// All rows and columns c0..<c1.
typedef void columns_kernel(const outer_call *call, long c0, long c1);

// The kernels of one vector width.
typedef struct {
    long panel, few_rows_panel; // columns c0 are a multiple of this
    long least_batch, most_batch;
    // With at most FEW_ROWS rows and b transposed: reads b straight from memory.
    columns_kernel *few_rows;
    // With least_batch to most_batch rows: turns all of a into [depth][most_batch].
    void (*pack_batch)(const outer_call *call, float *packed);
    // The same, with those rows in `packed`.
    columns_kernel *batch;
    // Rows r0..<r1 and columns c0..<c1: packs a and b into scratch.
    void (*outer_tile)(const outer_call *call, long r0, long r1, long c0, long c1);
} linear_kernels;
