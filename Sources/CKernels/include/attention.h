// Causal grouped-query attention over packed sequences, by blocks: no [T, T] matrix is ever held
// (FlashAttention-2, arXiv 2307.08691). H is a multiple of K (kv heads); query head h reads kv
// head h / (H / K).
#pragma once
#include <stdint.h>

// A sequence has `count` rows of its own from `start` on. Before them it may go on from the first
// `prefix_count` rows of an earlier sequence, which begins at `prefix_start` and has no prefix:
// its tokens are then those, followed by its own.
typedef struct ck_packed_sequence {
    int32_t start, count, prefix_start, prefix_count;
} ck_packed_sequence;

// out[t, h, :] = softmax_j(scale * q[t, h, :] . k[j, h', :]) v[j, h', :] over the tokens j of t's
// sequence up to t itself, and of these the last `window` where window > 0. A row has the same
// bits whether its sequence has a prefix or rows for all its tokens.
// q, out: [T, H, D]; k, v: [T, K, D]; lse [T, H] receives the log of the softmax's denominator
// when it is not null.
void ck_attention_forward(long S, const ck_packed_sequence *_Nonnull sequences, long H, long K,
                          long D, const float *_Nonnull q, const float *_Nonnull k,
                          const float *_Nonnull v, float scale, long window,
                          float *_Nonnull out, float *_Nullable lse);

// Floats that the workspace of the backward pass below should have for these sequences: enough for
// all threads, and never less than it needs.
long ck_attention_backward_floats(long S, const ck_packed_sequence *_Nonnull sequences, long K,
                                  long D, long window);

// dq, dk, dv receive (not add) the gradients; sequences with a prefix must follow directly on the
// one that they go on from. Deterministic for any number of threads.
void ck_attention_backward(long S, const ck_packed_sequence *_Nonnull sequences, long H, long K,
                           long D, const float *_Nonnull dout, const float *_Nonnull q,
                           const float *_Nonnull k, const float *_Nonnull v,
                           const float *_Nonnull out, const float *_Nonnull lse, float scale,
                           long window, float *_Nonnull workspace, long workspace_floats,
                           float *_Nonnull dq, float *_Nonnull dk, float *_Nonnull dv);
