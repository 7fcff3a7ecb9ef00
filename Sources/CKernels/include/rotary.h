// Rotary position embedding in the "half" layout of Hugging Face checkpoints (arXiv 2104.09864):
// element i of a head is paired with element i + D/2.
#pragma once
#include <stdint.h>

// y[t, h, :] = x[t, h, :] turned by the angle of positions[t]; y may be x.
// cosines, sines: [maximum position, D/2]. `inverse` turns the other way: that is the backward.
void ck_rotary(long T, long H, long D, const float *_Nonnull x, const int32_t *_Nonnull positions,
               const float *_Nonnull cosines, const float *_Nonnull sines, int inverse,
               float *_Nonnull y);
