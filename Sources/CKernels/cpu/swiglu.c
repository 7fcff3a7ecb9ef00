// silu(gate) * up and its two gradients, element by element in pieces of CK_TASK_ELEMENTS.
#include "../include/swiglu.h"

#include "task.h"
#include "vector_math.h"

typedef struct {
    long n;
    const float *dy, *gate, *up;
    float *first, *second; // forward: y and nothing; backward: dgate and dup
} swiglu;

CK_INLINE void forward_piece(void *context, long task) {
    const swiglu *s = context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, s->n);
    const float *gate = s->gate, *up = s->up;
    float *y = s->first;
    // Buffers are the same or apart, so that the iterations are independent; below as well.
#pragma clang loop vectorize(assume_safety)
    for (long i = range.begin; i < range.end; i++) y[i] = ck_silu(gate[i]) * up[i];
}
CK_TASK(forward_piece)

// silu'(g) = s (1 + g (1 - s)), s = sigmoid(g)
CK_INLINE void backward_piece(void *context, long task) {
    const swiglu *s = context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, s->n);
    const float *dy = s->dy, *gate = s->gate, *up = s->up;
    float *dgate = s->first, *dup = s->second;
#pragma clang loop vectorize(assume_safety)
    for (long i = range.begin; i < range.end; i++) {
        float g = gate[i], u = up[i], d = dy[i];
        float sigmoid = ck_sigmoid(g);
        dgate[i] = d * u * sigmoid * (1.0f + g * (1.0f - sigmoid));
        dup[i] = d * g * sigmoid;
    }
}
CK_TASK(backward_piece)

void ck_swiglu_forward(long n, const float *gate, const float *up, float *y) {
    swiglu s = {.n = n, .gate = gate, .up = up, .first = y};
    forward_piece_run(ck_divide_up(n, CK_TASK_ELEMENTS), &s);
}

void ck_swiglu_backward(long n, const float *dy, const float *gate, const float *up, float *dgate,
                        float *dup) {
    swiglu s = {.n = n, .dy = dy, .gate = gate, .up = up, .first = dgate, .second = dup};
    backward_piece_run(ck_divide_up(n, CK_TASK_ELEMENTS), &s);
}
