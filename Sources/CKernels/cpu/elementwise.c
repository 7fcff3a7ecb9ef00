// Sums and scalings of flat buffers, in pieces of CK_TASK_ELEMENTS. Every element of ck_add and
// ck_scale is computed alone, so the pieces do not show in the result. ck_sum_of_squares adds each
// piece in double and then the pieces in order: the same bits for any number of threads.
#include "../include/elementwise.h"

#include "task.h"

typedef struct {
    long n;
    float factor;
    const float *a, *b;
    float *y;
    double *partials;
} elements;

CK_INLINE void add_piece(void *context, long task) {
    const elements *e = context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, e->n);
    const float *a = e->a, *b = e->b;
    float *y = e->y;
    // Element i of y may be element i of a or b, and no other: the iterations are independent.
#pragma clang loop vectorize(assume_safety)
    for (long i = range.begin; i < range.end; i++) y[i] = a[i] + b[i];
}
CK_TASK(add_piece)

CK_INLINE void scale_piece(void *context, long task) {
    const elements *e = context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, e->n);
    float factor = e->factor, *y = e->y;
    for (long i = range.begin; i < range.end; i++) y[i] *= factor;
}
CK_TASK(scale_piece)

CK_INLINE void sum_of_squares_piece(void *context, long task) {
#pragma clang fp reassociate(on) contract(fast)
    const elements *e = context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, e->n);
    const float *a = e->a;
    double sum = 0;
    for (long i = range.begin; i < range.end; i++) sum += (double)a[i] * (double)a[i];
    e->partials[task] = sum;
}
CK_TASK(sum_of_squares_piece)

void ck_add(long n, const float *a, const float *b, float *y) {
    elements e = {.n = n, .a = a, .b = b, .y = y};
    add_piece_run(ck_divide_up(n, CK_TASK_ELEMENTS), &e);
}

void ck_scale(long n, float factor, float *y) {
    elements e = {.n = n, .factor = factor, .y = y};
    scale_piece_run(ck_divide_up(n, CK_TASK_ELEMENTS), &e);
}

double ck_sum_of_squares(long n, const float *x) {
    long pieces = ck_divide_up(n, CK_TASK_ELEMENTS);
    elements e = {.n = n, .a = x};
    e.partials = ck_scratch(4, (size_t)pieces * sizeof(double));
    sum_of_squares_piece_run(pieces, &e);
    double sum = 0;
    for (long piece = 0; piece < pieces; piece++) sum += e.partials[piece];
    return sum;
}
