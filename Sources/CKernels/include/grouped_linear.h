// Several products with weights of their own, as one call of the worker threads.
#pragma once
#include "dtype.h"

// y[m, n] = (accumulate ? y[m, n] : 0) + scale * sum_k x[m, k] * W[n, k], rows without gaps.
typedef struct ck_linear_group {
    long M, N, K;
    const float *_Nonnull x; // [M, K]
    const void *_Nonnull W;  // [N, K], of a dense type
    ck_dtype dtype;
    float scale;
    float *_Nonnull y; // [M, N]
} ck_linear_group;

// Each row of each y has the bits that ck_linear_forward gives it. The ys do not overlap.
void ck_grouped_linear_forward(long count, const ck_linear_group *_Nonnull groups, int accumulate);
