// One function for every caller, never inlined into one: the order of its sums is the compiler's,
// but the same for all of them.
#include "softmax_state.h"

#include "isa.h"
#include "vector_math.h"

typedef float sixteen __attribute__((vector_size(64)));
typedef float sixteen_memory __attribute__((vector_size(64), aligned(4), may_alias));

// A NaN is passed over: it comes to light in the sums.
CK_INLINE float maximum_of(long n, const float *values) {
    sixteen lanes = (sixteen){} - INFINITY;
    long i = 0;
    for (; i + 16 <= n; i += 16) {
        sixteen next = *(const sixteen_memory *)(values + i);
        lanes = __builtin_elementwise_max(lanes, next);
    }
    float maximum = -INFINITY;
    for (; i < n; i++) maximum = values[i] > maximum ? values[i] : maximum;
    for (int lane = 0; lane < 16; lane++) maximum = lanes[lane] > maximum ? lanes[lane] : maximum;
    return maximum;
}

// A step of nothing but -infinity, which weighs nothing.
CK_INLINE int is_empty(long n, const float *logits) {
    int empty = 1;
    for (long i = 0; i < n; i++) empty &= logits[i] == -INFINITY;
    return empty;
}

CK_INLINE ck_softmax_step update_step(ck_softmax_state *state, long n, const float *logits,
                                      float scale) {
#pragma clang fp reassociate(on)
    float maximum = maximum_of(n, logits) * scale;
    if (maximum == -INFINITY && is_empty(n, logits)) return (ck_softmax_step){0, state->maximum};
    if (maximum < state->maximum) maximum = state->maximum;
    if (state->sum > 0 && maximum > state->maximum) {
        double shift = (double)state->maximum - maximum, factor = exp(shift);
        state->weighted = factor * (state->weighted + shift * state->sum);
        state->sum *= factor;
        state->squared *= factor * factor;
    }
    float sum = 0, weighted = 0, squared = 0;
    for (long i = 0; i < n; i++) {
        float scaled = logits[i] * scale; // rounded, as a target's is
        float below = scaled - maximum, weight = ck_exp(below);
        sum += weight;
        squared += weight * weight;
        // exp(-inf) * -inf is 0 here: such a token has no part in the entropy.
        weighted += weight == 0 ? 0 : weight * below;
    }
    state->maximum = maximum;
    state->sum += sum;
    state->weighted += weighted;
    state->squared += squared;
    return (ck_softmax_step){sum, maximum};
}

CK_INLINE void update(ck_softmax_state *state, long n, const float *logits, float scale,
                      ck_softmax_step *steps) {
    for (long i = 0; i < n; i += CK_SOFTMAX_STEP) {
        ck_softmax_step step =
            update_step(state, ck_min(CK_SOFTMAX_STEP, n - i), logits + i, scale);
        if (steps != nullptr) *steps++ = step;
    }
}

static void update_portable(ck_softmax_state *state, long n, const float *logits, float scale,
                            ck_softmax_step *steps) {
    update(state, n, logits, scale, steps);
}

#if CK_HAS_X86
CK_TARGET_AVX2 static void update_avx2(ck_softmax_state *state, long n, const float *logits,
                                       float scale, ck_softmax_step *steps) {
    update(state, n, logits, scale, steps);
}

CK_TARGET_AVX512 static void update_avx512(ck_softmax_state *state, long n, const float *logits,
                                           float scale, ck_softmax_step *steps) {
    update(state, n, logits, scale, steps);
}
#endif

ck_softmax_update *ck_softmax_update_in_use(void) {
    switch (ck_isa_in_use()) {
#if CK_HAS_X86
    case CK_ISA_AVX512: return update_avx512;
    case CK_ISA_AVX2: return update_avx2;
#endif
    default: return update_portable;
    }
}
