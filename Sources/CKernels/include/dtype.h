// How the elements of a weight are stored. Activations and gradients are always CK_F32; the types
// from CK_INT8 on are those of quantised weights (weight.h).
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum ck_dtype {
    CK_F32 = 0,
    CK_F16 = 1,
    CK_BF16 = 2,
    CK_INT8 = 3,
    CK_INT4 = 4,
    CK_NF4 = 5
} ck_dtype;

// Bytes of one element of a dense type.
static inline size_t ck_dtype_size(ck_dtype dtype) { return dtype == CK_F32 ? 4 : 2; }

// destination[i] = source[i], rounded to nearest even where the destination is narrower.
void ck_convert(long n, const void *_Nonnull source, ck_dtype source_dtype,
                void *_Nonnull destination, ck_dtype destination_dtype);
