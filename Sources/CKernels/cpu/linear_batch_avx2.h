// The inner loop of linear_batch.inc for bf16 with AVX2.
#pragma once
#include <string.h>

#include "isa.h"

#if CK_HAS_X86
// total [6][16] = the sums over the first elements of the depth, as many as are returned, each one
// chain of multiply-adds: of the six columns of bf16 that begin at rows + offsets[n] with x
// [depth][16], the rows turned. Untouched where 0 is returned. Columns lie `stride` bytes apart, and
// those that come after the six are fetched meanwhile.
long ck_linear_batch_avx2(const char *rows, const long *offsets, long stride, const float *x,
                          long depth, float *total);
#endif
