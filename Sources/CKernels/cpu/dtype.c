// Conversion between the ways an element is stored.
#include "../include/dtype.h"

#include "../include/parallel.h"
#include "isa.h"

enum { CONVERT_BLOCK = 1 << 15 };

typedef struct {
    long n;
    const void *source;
    void *destination;
    ck_dtype from, to;
    ck_isa isa; // of the thread that asks, which its workers follow
} convert_call;

CK_INLINE void store_element(void *data, ck_dtype dtype, long index, float value) {
    switch (dtype) {
    case CK_F16: ((uint16_t *)data)[index] = ck_f16_of_float(value); break;
    case CK_BF16: ((uint16_t *)data)[index] = ck_bf16_of_float(value); break;
    default: ((float *)data)[index] = value; break;
    }
}

// Both dtypes are constants after inlining, so that the loop becomes vectors.
CK_INLINE void convert_typed(long n, const void *source, ck_dtype from, void *destination,
                             ck_dtype to) {
    for (long i = 0; i < n; i++) store_element(destination, to, i, ck_load(source, from, i));
}

CK_INLINE void convert_to(long n, const void *source, ck_dtype from, void *destination,
                          ck_dtype to) {
    switch (to) {
    case CK_F32: convert_typed(n, source, from, destination, CK_F32); break;
    case CK_F16: convert_typed(n, source, from, destination, CK_F16); break;
    case CK_BF16: convert_typed(n, source, from, destination, CK_BF16); break;
    default: break;
    }
}

CK_INLINE void convert(long n, const void *source, ck_dtype from, void *destination, ck_dtype to) {
    if (from == to) {
        memmove(destination, source, (size_t)n * ck_dtype_size(from));
        return;
    }
    switch (from) {
    case CK_F32: convert_to(n, source, CK_F32, destination, to); break;
    case CK_F16: convert_to(n, source, CK_F16, destination, to); break;
    case CK_BF16: convert_to(n, source, CK_BF16, destination, to); break;
    default: break;
    }
}

static void convert_portable(long n, const void *source, ck_dtype from, void *destination,
                             ck_dtype to) {
    convert(n, source, from, destination, to);
}

#if CK_HAS_X86
CK_TARGET_AVX2 static void convert_avx2(long n, const void *source, ck_dtype from,
                                        void *destination, ck_dtype to) {
    convert(n, source, from, destination, to);
}

CK_TARGET_AVX512 static void convert_avx512(long n, const void *source, ck_dtype from,
                                            void *destination, ck_dtype to) {
    convert(n, source, from, destination, to);
}
#endif

static void convert_block(void *context, long task) {
    const convert_call *call = context;
    long start = task * CONVERT_BLOCK, n = ck_min(CONVERT_BLOCK, call->n - start);
    const char *source = (const char *)call->source + start * (long)ck_dtype_size(call->from);
    char *destination = (char *)call->destination + start * (long)ck_dtype_size(call->to);
    switch (call->isa) {
#if CK_HAS_X86
    case CK_ISA_AVX512: convert_avx512(n, source, call->from, destination, call->to); break;
    case CK_ISA_AVX2: convert_avx2(n, source, call->from, destination, call->to); break;
#endif
    default: convert_portable(n, source, call->from, destination, call->to); break;
    }
}

void ck_convert(long n, const void *source, ck_dtype source_dtype, void *destination,
                ck_dtype destination_dtype) {
    convert_call call = {n, source, destination, source_dtype, destination_dtype,
                         ck_isa_in_use()};
    ck_parallel(ck_divide_up(n, CONVERT_BLOCK), convert_block, &call);
}
