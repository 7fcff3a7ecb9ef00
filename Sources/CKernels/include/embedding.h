// Token embedding: rows of a table.
#pragma once
#include "weight.h"

// y[t, :] = table[tokens[t], :], widened to f32.
void ck_embedding_forward(long T, long D, const int32_t *_Nonnull tokens,
                          ck_weight table, float *_Nonnull y);

// dtable[tokens[t], :] += dy[t, :], in f32, in the order of t (deterministic).
void ck_embedding_backward(long T, long D, const int32_t *_Nonnull tokens,
                           const float *_Nonnull dy, float *_Nonnull dtable);
