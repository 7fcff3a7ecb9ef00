// The fused head: log-probability of chosen tokens and entropy of their distribution, by tiles of
// the vocabulary. The logits [T, V] are never held.
#pragma once
#include "weight.h"

// l[t, v] = hidden[t, :] . W[v, :] / temperature, p = softmax_v(l).
// log_probabilities[t] = l[t, targets[t]] - lse[t]; entropies[t] = -sum_v p log p;
// squared_probability_sums[t] = sum_v p^2; lse[t] = log sum_v exp l[t, v].
void ck_token_log_probability_forward(long T, long V, long D, const float *_Nonnull hidden,
                                      ck_weight W, const int32_t *_Nonnull targets,
                                      float temperature,
                                      float *_Nonnull log_probabilities,
                                      float *_Nonnull entropies,
                                      float *_Nonnull squared_probability_sums,
                                      float *_Nonnull lse);

// Given the loss's derivative by each log-probability and entropy, dhidden [T, D] receives (not
// adds) the gradient by hidden, and dW [V, D], when not null, has the gradient by W added.
void ck_token_log_probability_backward(long T, long V, long D, const float *_Nonnull hidden,
                                       ck_weight W, const int32_t *_Nonnull targets,
                                       float temperature,
                                       const float *_Nonnull entropies, const float *_Nonnull lse,
                                       const float *_Nonnull dlog_probabilities,
                                       const float *_Nonnull dentropies,
                                       float *_Nonnull dhidden, float *_Nullable dW);
