// Speed of the CPU kernels against what this machine can do, measured in the same run.
//
//   clang -O2 -std=c2x -ISources/CKernels/include Benchmarks/kernels.c Sources/CKernels/cpu/*.c \
//       -o kernels -lm -lpthread && ./kernels [threads]
//
// A C file and not a package: CKernels is no product, so a package outside could not import it.
// Each figure is the best of the runs of one second; other programs should rest meanwhile.
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "CKernels.h"
#include "measuring.h"

// The shortest time of `statement` in a second of runs.
#define BEST(seconds, statement)                                                                   \
    double seconds = 1e9;                                                                          \
    for (double end = now() + 1; now() < end;) {                                                   \
        double start = now();                                                                      \
        statement;                                                                                 \
        double took = now() - start;                                                               \
        if (took < seconds) seconds = took;                                                        \
    }

static ck_weight brain(long n) {
    float *values = uniform(n);
    void *narrow = aligned_alloc(64, (size_t)(n * 2 + 63) / 64 * 64);
    ck_convert(n, values, CK_F32, narrow, CK_BF16);
    free(values);
    return (ck_weight){narrow, CK_BF16, NULL};
}

static void nothing(void *context, long task) { (void)context, (void)task; }

static void many_rows(double peak) {
    const long shapes[][3] = {{512, 896, 896},   {1024, 1024, 1024}, {1856, 896, 896},
                              {1856, 128, 896},  {1856, 4864, 896},  {1856, 896, 4864},
                              {1856, 32, 896},   {1856, 896, 32}};
    const long most = 4864;
    float *x = uniform(1856 * most), *y = uniform(1856 * most), *dW = uniform(most * 1024);
    ck_weight W = brain(most * 1024);
    printf("bf16 weights, GFLOP/s (share of peak): forward, by input, by weight\n");
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        long M = shapes[i][0], N = shapes[i][1], K = shapes[i][2];
        double work = 2e-9 * (double)M * (double)N * (double)K;
        BEST(f, ck_linear_forward(M, N, K, x, K, W, NULL, CK_F32, 1, 0, y, N))
        BEST(d, ck_linear_backward_input(M, N, K, y, N, W, 1, 0, x, K))
        BEST(w, ck_linear_backward_weight(M, N, K, y, N, x, K, 1e-9f, dW))
        printf("  M %4ld N %4ld K %4ld  %6.1f (%2.0f%%)  %6.1f (%2.0f%%)  %6.1f (%2.0f%%)\n", M, N,
               K, work / f, 100 * work / f / peak, work / d, 100 * work / d / peak, work / w,
               100 * work / w / peak);
    }
    free(x), free(y), free(dW), free((void *)W.data);
}

// Copies of the weight lie one after another in 256 MiB, so that each call reads memory.
static void few_rows(void) {
    const long shapes[][2] = {{896, 896}, {4864, 896}, {896, 4864}, {151936, 896}};
    const long bytes = 272L << 20, rows[] = {1, 2, 3, 4, 8, 16};
    ck_weight W = brain(bytes / 2);
    float *x = uniform(16 * 4864), *y = uniform(16 * 151936);
    BEST(read, ck_measure_read(W.data, bytes))
    printf("memory reads %.1f GB/s; bf16 weights of few rows, GB/s\n", 1e-9 * (double)bytes / read);
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        long N = shapes[i][0], K = shapes[i][1], each = N * K * 2, copies = bytes / each;
        printf("  N %6ld K %4ld ", N, K);
        for (unsigned j = 0; j < sizeof rows / sizeof *rows; j++) {
            long next = 0;
            ck_weight copy = W;
            BEST(once, {
                copy.data = (const char *)W.data + next++ % copies * each;
                ck_linear_forward(rows[j], N, K, x, K, copy, NULL, CK_F32, 1, 0, y, N);
            })
            printf("  M %ld: %.1f", rows[j], 1e-9 * (double)each / once);
        }
        printf("\n");
    }
    free((void *)W.data), free(x), free(y);
}

// Quantised weights beside bf16, from memory: weights a second, and GFLOP/s.
static void quantized(void) {
    const char *names[] = {"bf16", "int8", "int4", "nf4", "int8, 8-bit rows", "int4, 8-bit rows"};
    const ck_dtype types[] = {CK_BF16, CK_INT8, CK_INT4, CK_NF4, CK_INT8, CK_INT4};
    const long N = 65536, K = 896, rows[] = {1, 2, 4, 8, 16, 32};
    float *values = uniform(N * K), *x = uniform(32 * K), *y = uniform(32 * N);
    printf("N %ld K %ld: G weights/s and GFLOP/s\n", N, K);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        bool dense = types[i] == CK_BF16;
        size_t bytes = dense ? (size_t)(N * K * 2) : ck_quantized_bytes(N, K, types[i]);
        void *data = aligned_alloc(64, (bytes + 63) / 64 * 64);
        float *scales = dense ? NULL : uniform((long)ck_quantized_scales(N, K));
        if (dense) ck_convert(N * K, values, CK_F32, data, CK_BF16);
        else ck_quantize(N, K, values, CK_F32, types[i], data, scales);
        ck_weight W = {data, types[i], scales};
        printf("  %-16s", names[i]);
        for (unsigned j = 0; j < sizeof rows / sizeof *rows; j++) {
            BEST(once, {
                if (i < 4) ck_linear_forward(rows[j], N, K, x, K, W, NULL, CK_F32, 1, 0, y, N);
                else ck_linear_forward_int8(rows[j], N, K, x, K, W, NULL, CK_F32, y, N);
            })
            double weights = 1e-9 * (double)N * (double)K / once;
            printf("  M %ld: %.1f (%.0f)", rows[j], weights, 2 * weights * (double)rows[j]);
        }
        printf("\n");
        free(data), free(scales);
    }
    free(values), free(x), free(y);
}

static void fused_head(double peak) {
    const long T = 512, V = 32768, D = 896;
    float *hidden = uniform(T * D), *results = uniform(6 * T), *dhidden = uniform(T * D);
    ck_weight W = brain(V * D);
    int *targets = calloc((size_t)T, sizeof *targets);
    double work = 2e-9 * (double)T * (double)V * (double)D;
    BEST(f, ck_token_log_probability_forward(T, V, D, hidden, W, targets, 1, results,
                                             results + T, results + 2 * T, results + 3 * T))
    BEST(b, ck_token_log_probability_backward(T, V, D, hidden, W, targets, 1, results + T,
                                              results + 3 * T, results + 4 * T, results + 5 * T,
                                              dhidden, NULL))
    printf("fused head T %ld V %ld D %ld: forward %.1f GFLOP/s (%.0f%%), backward %.1f (%.0f%%)\n",
           T, V, D, work / f, 100 * work / f / peak, 2 * work / b, 200 * work / b / peak);
    free(hidden), free(results), free(dhidden), free((void *)W.data), free(targets);
}

int main(int count, char **arguments) {
    ck_set_threads(count > 1 ? atoi(arguments[1]) : 0);
    BEST(tasks, ck_parallel(2, nothing, NULL))
    double operations = 0;
    BEST(registers, operations = ck_measure_peak(1000000))
    double peak = 1e-9 * operations / registers * ck_threads();
    printf("threads %d, instruction set %d, peak %.1f GFLOP/s, empty call %.2f us\n", ck_threads(),
           (int)ck_isa_in_use(), peak, 1e6 * tasks);
    many_rows(peak);
    few_rows();
    quantized();
    fused_head(peak);
}
