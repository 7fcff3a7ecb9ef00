// What the benchmarks in C share: a clock, and numbers to multiply.
#pragma once
#include <stdlib.h>
#include <time.h>

// Seconds of a clock that is never set.
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// n numbers in -1..<1, the same each time.
static float *uniform(long n) {
    float *values = aligned_alloc(64, (size_t)(n * 4 + 63) / 64 * 64);
    unsigned state = 1;
    for (long i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int)state * 0x1p-31f;
    }
    return values;
}
