// Choosing the next token from logits [S, V].
#pragma once
#include <stdint.h>

typedef struct ck_sampling {
    float temperature;  // 0: the most probable token (lowest id among equals)
    int32_t top_k;      // keep the k most probable; 0 or less: all
    float top_p;        // keep the smallest set of most probable tokens with at least this mass; 1: all
    float uniform;      // in [0, 1): the one random number of this choice
} ck_sampling;

// For each row s: divides by the temperature, keeps top_k then top_p, and picks by the inverse of
// the cumulative distribution at `uniform`. tokens[s] is the choice; log_probabilities[s] its
// log-probability under the kept, renormalised distribution (at temperature 0: under the
// unmodified softmax at temperature 1). A logit of -infinity is never chosen. Each row's result
// depends on that row alone.
// A row with a NaN or +infinity, or with nothing above -infinity, has no distribution: its token is
// -1 and its log-probability NaN.
void ck_sample(long S, long V, const float *_Nonnull logits, long ldl,
               const ck_sampling *_Nonnull settings, int32_t *_Nonnull tokens,
               float *_Nonnull log_probabilities);
