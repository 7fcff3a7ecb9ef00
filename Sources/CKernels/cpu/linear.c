// Products with a weight W [N, K]: forward, and backward by input, weight and bias.
//
// One form for all three: out[r, c] = sum over d of a(r, d) b(d, c) by outer products, in tiles of
// 6 rows by 2 vectors of columns (linear_kernels.inc, written once for any vector width).
//
// The order of summation of an element is one chain of multiply-adds along d within blocks of
// OUTER_DEPTH, whose sums are scaled and added in order. It does not depend on where the element
// stands in a tile, on the number of rows or on the number of threads: **a row of y has the same
// bits whatever M is**, and the same with AVX2 and AVX-512. (The portable path rounds products
// where the processor has no multiply-add.)
//
// A task packs a block of a ([depth][6 rows], at most TILE_ROWS, in the L2 cache) and then, one
// after another, panels of b ([depth][2 vectors], in the L1 cache), each of which is used for all
// rows of the block. Packing widens W to f32. Forward needs W [N, K] turned, since its rows lie
// along the reduction: 8 rows by 32 bytes at a time in registers. bf16 is turned two neighbours
// at once and widened after, by one shift or one mask.
//
// With one or two rows (decoding) packing would cost more than it saves: columns of W are turned in
// registers and used at once, in the same order. What bounds this is memory, so the next columns
// are fetched in the order of memory. With a batch that fills two vectors a is turned instead and
// W's elements are broadcast: linear_batch.inc. In both, memory is read row after row of W.
//
// Work is split over threads by tiles of the result, never along a reduction.
#include "../include/linear.h"

#include <stdatomic.h>

#include "../include/parallel.h"
#include "isa.h"
#include "linear_batch_avx2.h"
#include "linear_call.h"
#include "quantized_linear.h"

#if CK_HAS_X86
#include <immintrin.h>
#endif

#define LANES 4
#define TARGET
#define NAME(stem) stem##_portable
#include "linear_kernels.inc"
#undef LANES
#undef TARGET
#undef NAME
#if CK_HAS_X86
#define LANES 8
#define TARGET CK_TARGET_AVX2
#define NAME(stem) stem##_avx2
#include "linear_kernels.inc"
#undef LANES
#undef TARGET
#undef NAME
#define LANES 16
#define TARGET CK_TARGET_AVX512
#define NAME(stem) stem##_avx512
#include "linear_kernels.inc"
#undef LANES
#undef TARGET
#undef NAME
#endif

enum {
    TASKS_A_THREAD = 4,   // so that threads end at about the same time
    STREAMS_A_THREAD = 2, // where memory is what they wait for, since each begins unfetched,
    STREAM_COLUMNS = 4096, // and of so many columns at most
    LEAST_WORK = 1 << 15, // multiply-adds below which a task is not worth handing out
};

static const linear_kernels *kernels(void) {
#if CK_HAS_X86
    switch (ck_isa_in_use()) {
    case CK_ISA_AVX512: return &kernels_avx512;
    case CK_ISA_AVX2: return &kernels_avx2;
    default: break;
    }
#endif
    return &kernels_portable;
}

// MARK: Splitting

// A result [rows, columns] cut into tiles of at most these sizes.
typedef struct {
    long rows, columns, tile_rows, tile_columns, tasks;
} tiling;

// As few tiles of at most `most` as make `total`, all about the same size: then threads that take
// the same number of tiles end together.
static long even(long total, long most, long unit) {
    long tiles = ck_max(1, ck_divide_up(total, most));
    return ck_round_up(ck_max(1, ck_divide_up(total, tiles)), unit);
}

// Halves the tiles, the longer side first and not below the least sizes, until there are enough
// for all threads or a tile holds no more than the least work.
static tiling tile(long rows, long columns, long depth, tiling most, tiling least,
                   long tasks_a_thread) {
    tiling t = {rows, columns, even(rows, most.tile_rows, OUTER_ROWS),
                even(columns, most.tile_columns, least.tile_columns), 0};
    long wanted = ck_threads() == 1 ? 1 : tasks_a_thread * ck_threads();
    for (;;) {
        t.tasks = ck_divide_up(rows, t.tile_rows) * ck_divide_up(columns, t.tile_columns);
        bool small = t.tile_rows * t.tile_columns * depth <= LEAST_WORK;
        if (t.tasks >= wanted || small) return t;
        bool rows_split = t.tile_rows > least.tile_rows;
        bool columns_split = t.tile_columns > least.tile_columns;
        if (!rows_split && !columns_split) return t;
        if (columns_split && (t.tile_columns >= t.tile_rows || !rows_split)) {
            t.tile_columns = ck_round_up(ck_divide_up(t.tile_columns, 2), least.tile_columns);
        } else {
            t.tile_rows = ck_round_up(ck_divide_up(t.tile_rows, 2), least.tile_rows);
        }
    }
}

// The task's part of the result; tasks one after another share columns.
static void part(const tiling *t, long task, long *row, long *row_end, long *column,
                 long *column_end) {
    long down = ck_divide_up(t->rows, t->tile_rows);
    *row = task % down * t->tile_rows;
    *column = task / down * t->tile_columns;
    *row_end = ck_min(*row + t->tile_rows, t->rows);
    *column_end = ck_min(*column + t->tile_columns, t->columns);
}

typedef struct {
    const linear_kernels *kernels;
    const outer_call *call;
    columns_kernel *all_rows; // null where rows are cut as well
    tiling tiling;
} linear_job;

static void run_task(void *context, long task) {
    const linear_job *job = context;
    long row, row_end, column, column_end;
    part(&job->tiling, task, &row, &row_end, &column, &column_end);
    if (job->all_rows != nullptr) {
        job->all_rows(job->call, column, column_end);
    } else {
        job->kernels->outer_tile(job->call, row, row_end, column, column_end);
    }
}

// What takes all rows at once and reads b as it lies, or null.
static columns_kernel *all_rows_kernel(const linear_kernels *k, const outer_call *call) {
    if (!call->transposed) return nullptr;
    if (call->scales == nullptr) {
        if (call->rows <= FEW_ROWS) return k->few_rows;
        return call->rows >= k->least_batch && call->rows <= k->most_batch ? k->batch : nullptr;
    }
#if CK_HAS_X86
    if (call->rows <= QUANTIZED_FEW_ROWS && k != &kernels_portable) {
        return ck_quantized_few_rows_avx2;
    }
#endif
    return nullptr;
}

static void run(outer_call call) {
    const linear_kernels *chosen = kernels();
    linear_job job = {chosen, &call, all_rows_kernel(chosen, &call), {}};
    tiling most = {.tile_rows = TILE_ROWS, .tile_columns = TILE_COLUMNS};
    tiling least = {.tile_rows = 4 * OUTER_ROWS, .tile_columns = chosen->panel};
    if (job.all_rows != nullptr) most.tile_columns = STREAM_COLUMNS;
    if (job.all_rows == chosen->batch) {
        least = (tiling){.tile_rows = call.rows, .tile_columns = BATCH_COLUMNS};
        size_t count = (size_t)(chosen->most_batch * call.depth);
        float *packed = ck_scratch(1, sizeof(float) * count);
        chosen->pack_batch(&call, packed);
        call.packed = packed;
    } else if (job.all_rows != nullptr) {
        least.tile_columns = chosen->few_rows_panel;
    }
    job.tiling = tile(call.rows, call.columns, call.depth, most, least,
                      job.all_rows != nullptr ? STREAMS_A_THREAD : TASKS_A_THREAD);
    ck_parallel(job.tiling.tasks, run_task, &job);
}

// MARK: Products

void ck_linear_forward(long M, long N, long K, const float *x, long ldx, ck_weight W,
                       const void *bias, ck_dtype bias_dtype, float scale, int accumulate,
                       float *y, long ldy) {
    if (M <= 0 || N <= 0) return;
    outer_call call = {.rows = M, .columns = N, .depth = K, .a = x, .a_row = ldx, .a_depth = 1,
                       .b = W.data, .ldb = K, .dtype = W.dtype, .scales = W.scales,
                       .transposed = true,
                       .out = {y, ldy, scale, accumulate != 0, bias, bias_dtype}};
    run(call);
}

void ck_linear_backward_input(long M, long N, long K, const float *dy, long lddy, ck_weight W,
                              float scale, int accumulate, float *dx, long lddx) {
    if (M <= 0 || K <= 0) return;
    outer_call call = {.rows = M, .columns = K, .depth = N, .a = dy, .a_row = lddy, .a_depth = 1,
                       .b = W.data, .ldb = K, .dtype = W.dtype, .scales = W.scales,
                       .out = {dx, lddx, scale, accumulate != 0, nullptr, CK_F32}};
    run(call);
}

void ck_linear_backward_weight(long M, long N, long K, const float *dy, long lddy, const float *x,
                               long ldx, float scale, float *dW) {
    if (N <= 0 || K <= 0) return;
    outer_call call = {.rows = N, .columns = K, .depth = M, .a = dy, .a_row = 1, .a_depth = lddy,
                       .b = x, .ldb = ldx, .dtype = CK_F32,
                       .out = {dW, K, scale, true, nullptr, CK_F32}};
    run(call);
}

// MARK: Bias

typedef struct {
    long M, N;
    const float *dy;
    long lddy;
    float *dbias;
} bias_call;

enum { BIAS_COLUMNS = 64 };

// Rows in order, each column a chain of its own.
static void add_bias_columns(void *context, long task) {
    const bias_call *call = context;
    long start = task * BIAS_COLUMNS, count = ck_min(BIAS_COLUMNS, call->N - start);
    float sums[BIAS_COLUMNS] = {};
    for (long m = 0; m < call->M; m++) {
        const float *dy = call->dy + m * call->lddy + start;
        for (long i = 0; i < count; i++) sums[i] += dy[i];
    }
    for (long i = 0; i < count; i++) call->dbias[start + i] += sums[i];
}

void ck_linear_backward_bias(long M, long N, const float *dy, long lddy, float *dbias) {
    bias_call call = {M, N, dy, lddy, dbias};
    ck_parallel(ck_divide_up(N, BIAS_COLUMNS), add_bias_columns, &call);
}
