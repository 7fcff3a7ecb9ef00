// Sums and scalings of plain f32 buffers.
#pragma once

// y = a + b; y may be a or b.
void ck_add(long n, const float *_Nonnull a, const float *_Nonnull b, float *_Nonnull y);
// y *= factor
void ck_scale(long n, float factor, float *_Nonnull y);
// Sum of squares, in double; the same bits for any number of threads.
double ck_sum_of_squares(long n, const float *_Nonnull x);
