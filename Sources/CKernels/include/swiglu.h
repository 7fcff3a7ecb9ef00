// The gated activation silu(gate) * up (arXiv 2002.05202).
#pragma once

// y = gate / (1 + exp(-gate)) * up, over n elements; y may be gate or up.
void ck_swiglu_forward(long n, const float *_Nonnull gate, const float *_Nonnull up,
                       float *_Nonnull y);

// dgate, dup receive the gradients; either may be the buffer of dy, gate or up.
void ck_swiglu_backward(long n, const float *_Nonnull dy, const float *_Nonnull gate,
                        const float *_Nonnull up, float *_Nonnull dgate, float *_Nonnull dup);
