// Which instruction set is used, and what the core and its memory can do at best.
#include "../include/cpu_features.h"

#include <stdatomic.h>
#include <stdint.h>

#include "../include/parallel.h"
#include "isa.h"

// Each thread has its own, so that a test that lowers it disturbs no other.
static _Thread_local int isa_limit = CK_ISA_AVX512;

ck_isa ck_isa_detected(void) {
#if CK_HAS_X86
    static _Atomic int detected = -1;
    int known = atomic_load_explicit(&detected, memory_order_relaxed);
    if (known >= 0) return (ck_isa)known;
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("f16c");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    known = avx512 ? CK_ISA_AVX512 : avx2 ? CK_ISA_AVX2 : CK_ISA_PORTABLE;
    atomic_store_explicit(&detected, known, memory_order_relaxed);
    return (ck_isa)known;
#else
    return CK_ISA_PORTABLE;
#endif
}

ck_isa ck_isa_in_use(void) {
    ck_isa detected = ck_isa_detected();
    return isa_limit < (int)detected ? (ck_isa)isa_limit : detected;
}

ck_isa ck_isa_limit(ck_isa isa) {
    isa_limit = (int)isa;
    return ck_isa_in_use();
}

// MARK: Peak

// Enough independent sums to hide the latency of a multiply-add: 4 cycles x 2 a cycle, and some.
enum { PEAK_SUMS = 12 };

#define PEAK_LOOP(vector, iterations)                                                              \
    vector sums[PEAK_SUMS];                                                                        \
    CK_UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = (vector){} + (float)i;                 \
    for (long round = 0; round < iterations; round++) {                                            \
        CK_UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = sums[i] * 0.999f + 1e-3f;          \
    }                                                                                              \
    vector total = {};                                                                             \
    CK_UNROLL for (int i = 0; i < PEAK_SUMS; i++) total += sums[i];                                \
    float result = 0;                                                                              \
    for (unsigned i = 0; i < sizeof total / sizeof(float); i++) result += total[i];                \
    return result;

typedef float vector4 __attribute__((vector_size(16)));
static float peak_portable(long iterations) { PEAK_LOOP(vector4, iterations) }
#if CK_HAS_X86
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));
CK_TARGET_AVX2 static float peak_avx2(long iterations) { PEAK_LOOP(vector8, iterations) }
CK_TARGET_AVX512 static float peak_avx512(long iterations) { PEAK_LOOP(vector16, iterations) }
#endif

double ck_measure_peak(long iterations) {
    volatile float kept; // so that the loop has a use
    long lanes = 4;
    switch (ck_isa_in_use()) {
#if CK_HAS_X86
    case CK_ISA_AVX512:
        kept = peak_avx512(iterations);
        lanes = 16;
        break;
    case CK_ISA_AVX2:
        kept = peak_avx2(iterations);
        lanes = 8;
        break;
#endif
    default: kept = peak_portable(iterations); break;
    }
    (void)kept;
    return 2.0 * (double)PEAK_SUMS * (double)lanes * (double)iterations;
}

// MARK: Read

enum { READ_STREAMS = 4, READ_BLOCK = 64, READ_AHEAD = 1024, READ_PART = 1 << 20 };

typedef uint64_t read_vector __attribute__((vector_size(READ_BLOCK), aligned(1), may_alias));

typedef struct {
    const char *data;
    long bytes, parts;
    _Atomic uint64_t checksum;
} read_call;

// Several streams at once keep more cache lines under way than one.
CK_INLINE uint64_t read_streams(const char *data, long bytes) {
    long each = bytes / READ_STREAMS / READ_BLOCK * READ_BLOCK;
    read_vector sums[READ_STREAMS] = {};
    for (long i = 0; i < each; i += READ_BLOCK) {
        CK_UNROLL for (int stream = 0; stream < READ_STREAMS; stream++) {
            const char *here = data + stream * each + i;
            __builtin_prefetch(here + READ_AHEAD);
            sums[stream] ^= *(const read_vector *)here;
        }
    }
    read_vector total = sums[0];
    for (int stream = 1; stream < READ_STREAMS; stream++) total ^= sums[stream];
    uint64_t checksum = 0;
    for (int i = 0; i < READ_BLOCK / 8; i++) checksum ^= total[i];
    for (long i = each * READ_STREAMS; i < bytes; i++) checksum ^= (uint64_t)(uint8_t)data[i];
    return checksum;
}

static uint64_t read_portable(const char *data, long bytes) { return read_streams(data, bytes); }
#if CK_HAS_X86
CK_TARGET_AVX2 static uint64_t read_avx2(const char *data, long bytes) {
    return read_streams(data, bytes);
}
#endif

static void read_part(void *context, long part) {
    read_call *call = context;
    long start = part * READ_PART, bytes = ck_min(READ_PART, call->bytes - start);
    uint64_t checksum;
#if CK_HAS_X86
    checksum = ck_isa_in_use() >= CK_ISA_AVX2 ? read_avx2(call->data + start, bytes)
                                              : read_portable(call->data + start, bytes);
#else
    checksum = read_portable(call->data + start, bytes);
#endif
    atomic_fetch_xor(&call->checksum, checksum);
}

float ck_measure_read(const void *data, long bytes) {
    read_call call = {.data = data, .bytes = bytes, .parts = ck_divide_up(bytes, READ_PART)};
    ck_parallel(call.parts, read_part, &call);
    return (float)atomic_load(&call.checksum);
}
