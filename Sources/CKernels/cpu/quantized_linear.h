// How linear.c reaches a quantised weight; see quantized_linear.c and quantized_few_rows.c.
#pragma once
#include "isa.h"
#include "linear_call.h"

// Rows of a up to which the AVX2 kernel reads a quantised b straight from its panels.
enum { QUANTIZED_FEW_ROWS = 4 };

// Packs columns c..<c + width of a call's quantised b, which is [N, K] in panels, from depth d on
// as [depth][width], absent ones as zeros. d is a multiple of CK_GROUP; for AVX2, c and width are
// multiples of 16.
void ck_quantized_pack_portable(const outer_call *call, long c, long d, long depth, long width,
                                float *packed);

#if CK_HAS_X86
void ck_quantized_pack_avx2(const outer_call *call, long c, long d, long depth, long width,
                            float *packed);

// All rows, at most QUANTIZED_FEW_ROWS, and columns c0..<c1 with b transposed, unpacked; c0 is a
// multiple of CK_PANEL.
void ck_quantized_few_rows_avx2(const outer_call *call, long c0, long c1);
#endif
