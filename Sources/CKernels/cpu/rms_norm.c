// RMSNorm. A task is a run of rows; each row is reduced alone and in the same order whatever T is.
// The weight's gradient is a second pass by stripes of columns, each over all rows in order, so
// that it needs no partial sums and does not depend on the number of threads.
#include "../include/rms_norm.h"

#include "task.h"

enum { STRIPE = 64 };

typedef struct {
    long T, D;
    const float *x, *dy, *weight, *rstd;
    float epsilon;
    float *y, *rstd_out; // backward: dx and nothing
    float *dweight;
} rms_norm;

CK_INLINE void forward_rows(void *context, long task) {
#pragma clang fp reassociate(on) contract(fast)
    const rms_norm *n = context;
    ck_range rows = ck_piece(task, ck_rows_per_task(n->D), n->T);
    const float *restrict weight = n->weight;
    for (long t = rows.begin; t < rows.end; t++) {
        const float *restrict x = n->x + t * n->D;
        float *restrict y = n->y + t * n->D;
        float sum = 0;
        for (long d = 0; d < n->D; d++) sum += x[d] * x[d];
        float r = 1.0f / __builtin_elementwise_sqrt(sum / (float)n->D + n->epsilon);
        for (long d = 0; d < n->D; d++) y[d] = x[d] * r * weight[d];
        if (n->rstd_out != nullptr) n->rstd_out[t] = r;
    }
}
CK_TASK(forward_rows)

// dx = r (g - x r^2 mean_d(g x)), g = dy weight
CK_INLINE void backward_rows(void *context, long task) {
#pragma clang fp reassociate(on) contract(fast)
    const rms_norm *n = context;
    ck_range rows = ck_piece(task, ck_rows_per_task(n->D), n->T);
    const float *restrict weight = n->weight;
    for (long t = rows.begin; t < rows.end; t++) {
        const float *restrict x = n->x + t * n->D, *restrict dy = n->dy + t * n->D;
        float *restrict dx = n->y + t * n->D;
        float sum = 0, r = n->rstd[t];
        for (long d = 0; d < n->D; d++) sum += dy[d] * weight[d] * x[d];
        float factor = sum / (float)n->D * r * r;
        for (long d = 0; d < n->D; d++) dx[d] += r * (dy[d] * weight[d] - x[d] * factor);
    }
}
CK_TASK(backward_rows)

CK_INLINE void backward_weight_stripe(void *context, long task) {
    const rms_norm *n = context;
    ck_range columns = ck_piece(task, STRIPE, n->D);
    float *restrict dweight = n->dweight;
    for (long t = 0; t < n->T; t++) {
        const float *restrict x = n->x + t * n->D, *restrict dy = n->dy + t * n->D;
        float r = n->rstd[t];
        for (long d = columns.begin; d < columns.end; d++) dweight[d] += dy[d] * (x[d] * r);
    }
}
CK_TASK(backward_weight_stripe)

// The weight in f32: itself, or widened to scratch of this thread.
static const float *widened(long D, const void *weight, ck_dtype dtype) {
    if (dtype == CK_F32) return weight;
    float *wide = ck_scratch(4, (size_t)D * sizeof(float));
    const uint16_t *narrow = weight;
    if (dtype == CK_F16) {
        for (long d = 0; d < D; d++) wide[d] = ck_float_of_f16(narrow[d]);
    } else {
        for (long d = 0; d < D; d++) wide[d] = ck_float_of_bf16(narrow[d]);
    }
    return wide;
}

void ck_rms_norm_forward(long T, long D, const float *x, const void *weight, ck_dtype dtype,
                         float epsilon, float *y, float *rstd) {
    rms_norm n = {.T = T, .D = D, .x = x, .weight = widened(D, weight, dtype), .epsilon = epsilon,
                  .y = y, .rstd_out = rstd};
    forward_rows_run(ck_divide_up(T, ck_rows_per_task(D)), &n);
}

void ck_rms_norm_backward(long T, long D, const float *dy, const float *x, const float *rstd,
                          const void *weight, ck_dtype dtype, float *dx, float *dweight) {
    rms_norm n = {.T = T, .D = D, .x = x, .dy = dy, .weight = widened(D, weight, dtype),
                  .rstd = rstd, .y = dx, .dweight = dweight};
    backward_rows_run(ck_divide_up(T, ck_rows_per_task(D)), &n);
    if (dweight != nullptr) backward_weight_stripe_run(ck_divide_up(D, STRIPE), &n);
}
