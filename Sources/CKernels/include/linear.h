// Products with a weight W [N, K] as checkpoints hold it, and their two backward products.
// W may be f32, f16, bf16 or quantised and is widened inside the kernel; sums are f32.
// Strides (ldx, ldy...) are in elements and at least the row's length.
#pragma once
#include "weight.h"

// y[m, n] = (accumulate ? y[m, n] : 0) + scale * sum_k x[m, k] * W[n, k] + (bias ? bias[n] : 0)
// Each row of y has the same bits whatever M is (see linear.c for the one order of summation).
void ck_linear_forward(long M, long N, long K, const float *_Nonnull x, long ldx,
                       ck_weight W, const void *_Nullable bias, ck_dtype bias_dtype, float scale,
                       int accumulate, float *_Nonnull y, long ldy);

// y[m, n] = sum_k x[m, k] * W[n, k] + (bias ? bias[n] : 0) with each row of x quantised to 8 bits by
// groups; W is CK_INT8 or CK_INT4. Each row of y has the same bits whatever M is (see
// quantized_rows.c).
void ck_linear_forward_int8(long M, long N, long K, const float *_Nonnull x, long ldx,
                            ck_weight W, const void *_Nullable bias, ck_dtype bias_dtype,
                            float *_Nonnull y, long ldy);

// dx[m, k] = (accumulate ? dx[m, k] : 0) + scale * sum_n dy[m, n] * W[n, k]
void ck_linear_backward_input(long M, long N, long K, const float *_Nonnull dy, long lddy,
                              ck_weight W, float scale, int accumulate, float *_Nonnull dx,
                              long lddx);

// dW[n, k] += scale * sum_m dy[m, n] * x[m, k], in f32
void ck_linear_backward_weight(long M, long N, long K, const float *_Nonnull dy, long lddy,
                               const float *_Nonnull x, long ldx, float scale,
                               float *_Nonnull dW);

// dbias[n] += sum_m dy[m, n], in f32
void ck_linear_backward_bias(long M, long N, const float *_Nonnull dy, long lddy,
                             float *_Nonnull dbias);
