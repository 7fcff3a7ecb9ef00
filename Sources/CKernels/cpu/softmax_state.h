// The softmax of a row of logits, met piece by piece: what the fused head (training) and the
// sampler (rollouts) share, so that the log-probability of a token has the same bits in both.
//
// A row's state is its running maximum m of the scaled logits l, s = sum exp(l - m),
// w = sum exp(l - m) (l - m) and q = sum exp(l - m)^2 (online softmax, arXiv 1805.02867). At the
// end, with no difference of large numbers:
//   lse = m + log s        log-probability = (l_target - m) - log s        entropy = log s - w / s
//   sum of squared probabilities = q / s^2
// The scale, 1 / temperature, is applied here and not in the product, so that both sides scale the
// same numbers. A step covers CK_SOFTMAX_STEP logits, counted from the row's first, in one order.
#pragma once
#include <math.h>

enum { CK_SOFTMAX_STEP = 512 };

typedef struct ck_softmax_state {
    double sum, weighted, squared;
    float maximum;
} ck_softmax_state;

// What one step added: sum of exp(l - maximum) over it, with the row's maximum of that moment.
typedef struct ck_softmax_step {
    float mass, maximum;
} ck_softmax_step;

// Goes on with `n` further logits of the row; n is a whole number of steps unless they are the last.
// `steps`, when not null, receives one value a step.
typedef void ck_softmax_update(ck_softmax_state *state, long n, const float *logits, float scale,
                               ck_softmax_step *steps);

// The update compiled for the instruction set of the calling thread.
ck_softmax_update *ck_softmax_update_in_use(void);

static inline ck_softmax_state ck_softmax_start(void) {
    return (ck_softmax_state){.maximum = -INFINITY};
}

// Of a token with the scaled logit `logit`, once the whole row has been met.
static inline float ck_softmax_log_probability(const ck_softmax_state *state, float logit) {
    return (float)((double)logit - state->maximum - log(state->sum));
}
