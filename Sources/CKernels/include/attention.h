// Causal grouped-query attention over packed sequences, by blocks: no [T, T] matrix is ever held
// (FlashAttention-2, arXiv 2307.08691). H is a multiple of K (kv heads); query head h reads kv
// head h / (H / K). Sequence s owns the tokens starts[s] ..< starts[s + 1].
#pragma once
#include <stdint.h>

// out[t, h, :] = softmax_j(scale * q[t, h, :] . k[j, h', :]) v[j, h', :] over the tokens j of the
// same sequence with j <= t, and t - j < window where window > 0.
// q, out: [T, H, D]; k, v: [T, K, D]; lse [T, H] receives the log of the softmax's denominator
// when it is not null.
void ck_attention_forward(long S, const int32_t *_Nonnull starts, long H, long K, long D,
                          const float *_Nonnull q, const float *_Nonnull k,
                          const float *_Nonnull v, float scale, long window,
                          float *_Nonnull out, float *_Nullable lse);

// dq, dk, dv receive (not add) the gradients. Deterministic for any number of threads.
void ck_attention_backward(long S, const int32_t *_Nonnull starts, long H, long K, long D,
                           const float *_Nonnull dout, const float *_Nonnull q,
                           const float *_Nonnull k, const float *_Nonnull v,
                           const float *_Nonnull out, const float *_Nonnull lse, float scale,
                           long window, float *_Nonnull dq, float *_Nonnull dk,
                           float *_Nonnull dv);
