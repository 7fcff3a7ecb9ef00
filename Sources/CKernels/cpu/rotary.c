// Rotary position embedding: pairs (i, i + D/2) of every head of a token are turned by the
// token's angle. Tokens are independent; a task is a run of tokens.
#include "../include/rotary.h"

#include "task.h"

typedef struct {
    long T, H, D;
    const float *x, *cosines, *sines;
    const int32_t *positions;
    int inverse;
    float *y;
} rotary;

CK_INLINE void turn_head(long half, const float *x, const float *cosine, const float *sine,
                         float sign, float *y) {
    // y is x or apart from it; the tables are read only.
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < half; i++) {
        float first = x[i], second = x[i + half], s = sign * sine[i];
        y[i] = first * cosine[i] - second * s;
        y[i + half] = second * cosine[i] + first * s;
    }
}

CK_INLINE void turn_tokens(void *context, long task) {
    const rotary *r = context;
    long half = r->D / 2;
    ck_range tokens = ck_piece(task, ck_rows_per_task(r->H * r->D), r->T);
    for (long t = tokens.begin; t < tokens.end; t++) {
        const float *cosine = r->cosines + r->positions[t] * half;
        const float *sine = r->sines + r->positions[t] * half;
        for (long h = 0; h < r->H; h++) {
            long offset = (t * r->H + h) * r->D;
            turn_head(half, r->x + offset, cosine, sine, r->inverse ? -1.0f : 1.0f, r->y + offset);
        }
    }
}
CK_TASK(turn_tokens)

void ck_rotary(long T, long H, long D, const float *x, const int32_t *positions,
               const float *cosines, const float *sines, int inverse, float *y) {
    rotary r = {.T = T, .H = H, .D = D, .x = x, .cosines = cosines, .sines = sines,
                .positions = positions, .inverse = inverse, .y = y};
    turn_tokens_run(ck_divide_up(T, ck_rows_per_task(H * D)), &r);
}
