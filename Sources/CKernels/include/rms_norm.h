// Root-mean-square normalisation over the last dimension (arXiv 1910.07467).
#pragma once
#include "dtype.h"

// y[t, d] = x[t, d] * r[t] * weight[d], r[t] = 1 / sqrt(mean_d x[t, d]^2 + epsilon).
// `rstd` [T] receives r when it is not null.
void ck_rms_norm_forward(long T, long D, const float *_Nonnull x, const void *_Nonnull weight,
                         ck_dtype dtype, float epsilon, float *_Nonnull y, float *_Nullable rstd);

// dx[t, d] += gradient by x; dweight[d] += gradient by weight when it is not null.
void ck_rms_norm_backward(long T, long D, const float *_Nonnull dy, const float *_Nonnull x,
                          const float *_Nonnull rstd, const void *_Nonnull weight, ck_dtype dtype,
                          float *_Nonnull dx, float *_Nullable dweight);
