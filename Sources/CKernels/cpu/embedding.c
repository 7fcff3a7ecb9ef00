// Token embedding. Forward: a task is a run of tokens. Backward: tokens repeat, so a task is a
// stripe of columns that goes over all tokens in order: no two tasks write the same element, and
// every element is summed in the order of t.
#include "../include/embedding.h"

#include "quantized_layout.h"
#include "task.h"

enum { STRIPE = 64 };

typedef struct {
    long T, D;
    const int32_t *tokens;
    ck_weight table;
    const float *dy;
    float *y; // backward: dtable
} embedding;

CK_INLINE void forward_tokens(void *context, long task) {
    const embedding *e = context;
    ck_range tokens = ck_piece(task, ck_rows_per_task(e->D), e->T);
    for (long t = tokens.begin; t < tokens.end; t++) {
        ck_weight_row(e->table, e->D, e->tokens[t], e->y + t * e->D);
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

void ck_embedding_forward(long T, long D, const int32_t *tokens, ck_weight table,
                          float *y) {
    embedding e = {.T = T, .D = D, .tokens = tokens, .table = table, .y = y};
    forward_tokens_run(ck_divide_up(T, ck_rows_per_task(D)), &e);
}

void ck_embedding_backward(long T, long D, const int32_t *tokens, const float *dy, float *dtable) {
    embedding e = {.T = T, .D = D, .tokens = tokens, .dy = dy, .y = dtable};
    backward_stripe_run(ck_divide_up(D, STRIPE), &e);
}
