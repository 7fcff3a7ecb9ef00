// Token embedding. Forward: a task is a run of tokens. Backward: tokens repeat, so a task is a
// stripe of columns that goes over all tokens in order: no two tasks write the same element, and
// every element is summed in the order of t.
#include "../include/embedding.h"

#include "task.h"

enum { STRIPE = 64 };

typedef struct {
    long T, D;
    const int32_t *tokens;
    const void *table;
    ck_dtype dtype;
    const float *dy;
    float *y; // backward: dtable
} embedding;

CK_INLINE void forward_tokens(void *context, long task) {
    const embedding *e = context;
    ck_range tokens = ck_piece(task, ck_rows_per_task(e->D), e->T);
    for (long t = tokens.begin; t < tokens.end; t++) {
        float *y = e->y + t * e->D;
        long row = (long)e->tokens[t] * e->D;
        const float *wide = (const float *)e->table + row;
        const uint16_t *narrow = (const uint16_t *)e->table + row;
        switch (e->dtype) {
        case CK_F32: memcpy(y, wide, (size_t)e->D * sizeof(float)); break;
        case CK_F16:
            for (long d = 0; d < e->D; d++) y[d] = ck_float_of_f16(narrow[d]);
            break;
        case CK_BF16:
            for (long d = 0; d < e->D; d++) y[d] = ck_float_of_bf16(narrow[d]);
            break;
        }
    }
}
CK_TASK(forward_tokens)

CK_INLINE void backward_stripe(void *context, long task) {
    const embedding *e = context;
    ck_range columns = ck_piece(task, STRIPE, e->D);
    for (long t = 0; t < e->T; t++) {
        const float *restrict dy = e->dy + t * e->D;
        float *restrict dtable = e->y + (long)e->tokens[t] * e->D;
        for (long d = columns.begin; d < columns.end; d++) dtable[d] += dy[d];
    }
}
CK_TASK(backward_stripe)

void ck_embedding_forward(long T, long D, const int32_t *tokens, const void *table, ck_dtype dtype,
                          float *y) {
    embedding e = {.T = T, .D = D, .tokens = tokens, .table = table, .dtype = dtype, .y = y};
    forward_tokens_run(ck_divide_up(T, ck_rows_per_task(D)), &e);
}

void ck_embedding_backward(long T, long D, const int32_t *tokens, const float *dy, float *dtable) {
    embedding e = {.T = T, .D = D, .tokens = tokens, .dy = dy, .y = dtable};
    backward_stripe_run(ck_divide_up(D, STRIPE), &e);
}
