// Which instruction set the kernels use: chosen once at run time, lowered by a test or a bench.
#pragma once

typedef enum ck_isa { CK_ISA_PORTABLE = 0, CK_ISA_AVX2 = 1, CK_ISA_AVX512 = 2 } ck_isa;

// The best set this processor has.
ck_isa ck_isa_detected(void);
// The set in use: the detected one unless this thread lowered it.
ck_isa ck_isa_in_use(void);
// Use `isa`, or the detected one if that is lower, for what this thread asks for from now on.
// Returns what is now in use.
ck_isa ck_isa_limit(ck_isa isa);

// Measures what this core can do. `ck_measure_peak` runs `iterations` rounds of independent
// multiply-adds in registers and returns how many floating-point operations that was;
// `ck_measure_read` streams `bytes` from memory (all threads) and returns a checksum.
double ck_measure_peak(long iterations);
float ck_measure_read(const void *_Nonnull data, long bytes);
