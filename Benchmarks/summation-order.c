// What one order of summation costs: the products of linear.c, whose rows have the same bits in any
// batch, against dot products that sum as suits the processor, on bf16 weights read from memory.
//
//   clang -O2 -std=c2x -mavx2 -mfma -ISources/CKernels/include Benchmarks/summation-order.c \
//       Sources/CKernels/cpu/*.c -o summation-order -lm -lpthread && ./summation-order
//
// One thread, since threads share nothing here. The free kernels take 4 rows of W by 1 or 3 rows of
// x, 8 sums of every 8th product each, and x split into even and odd elements beforehand, which
// is not counted. Each figure is the best of rounds in turn.
#define _DEFAULT_SOURCE
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

#include "CKernels.h"
#include "measuring.h"

enum { W_ROWS = 4, MOST_M = 15, ROUNDS = 40 };

static float sum(__m256 v) {
    float lanes[8];
    _mm256_storeu_ps(lanes, v);
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// y of `rows` rows of x by 4 rows of W; `rows` is a constant after inlining.
static inline __attribute__((always_inline)) void dot(const int rows, long K, const float *even,
                                                      const float *odd, const uint16_t *W,
                                                      float *y, long ldy) {
    __m256 total[3][W_ROWS];
    for (int m = 0; m < rows; m++) {
        for (int n = 0; n < W_ROWS; n++) total[m][n] = _mm256_setzero_ps();
    }
    for (long k = 0; k < K; k += 16) {
        for (int n = 0; n < W_ROWS; n++) {
            __m256i pairs = _mm256_loadu_si256((const __m256i_u *)(W + n * K + k));
            __m256 low = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
            __m256 high =
                _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
            for (int m = 0; m < rows; m++) {
                __m256 x0 = _mm256_loadu_ps(even + (m * K + k) / 2);
                __m256 x1 = _mm256_loadu_ps(odd + (m * K + k) / 2);
                total[m][n] = _mm256_fmadd_ps(low, x0, total[m][n]);
                total[m][n] = _mm256_fmadd_ps(high, x1, total[m][n]);
            }
        }
    }
    for (int m = 0; m < rows; m++) {
        for (int n = 0; n < W_ROWS; n++) y[m * ldy + n] = sum(total[m][n]);
    }
}

static void free_order(long M, long N, long K, const float *even, const float *odd,
                       const uint16_t *W, float *y) {
    for (long n = 0; n < N; n += W_ROWS) {
        const uint16_t *rows = W + n * K;
        if (M == 1) dot(1, K, even, odd, rows, y + n, N);
        for (long m = 0; M > 1 && m < M; m += 3) {
            dot(3, K, even + m * K / 2, odd + m * K / 2, rows, y + m * N + n, N);
        }
    }
}

static void compare(long M, long N, long K, const uint16_t *W, long elements, const float *x,
                    const float *even, const float *odd, float *y) {
    long copies = elements / (N * K), next = 0;
    double ordered = 1e9, unordered = 1e9;
    for (long round = 0; round < ROUNDS * copies / 4; round++) {
        const uint16_t *at = W + next++ % copies * N * K;
        double start = now();
        ck_linear_forward(M, N, K, x, K, (ck_weight){at, CK_BF16, nullptr}, nullptr, CK_F32, 1, 0, y,
                          N);
        double middle = now();
        at = W + next++ % copies * N * K;
        double again = now();
        free_order(M, N, K, even, odd, at, y);
        double end = now();
        if (middle - start < ordered) ordered = middle - start;
        if (end - again < unordered) unordered = end - again;
    }
    double bytes = 2e-9 * (double)(N * K);
    printf("M %2ld N %4ld K %4ld: one order %5.1f GB/s, free order %5.1f GB/s, ratio %.2f\n", M, N,
           K, bytes / ordered, bytes / unordered, unordered / ordered);
}

int main(void) {
    const long shapes[][2] = {{896, 896}, {4864, 896}, {896, 4864}}, elements = 48L << 20;
    ck_set_threads(1);
    float *wide = uniform(elements), *x = uniform(MOST_M * 4864), *y = uniform(MOST_M * 4864);
    uint16_t *W = aligned_alloc(64, (size_t)elements * 2);
    ck_convert(elements, wide, CK_F32, W, CK_BF16);
    for (int i = 0; i < 6; i++) {
        compare(i < 3 ? 1 : MOST_M, shapes[i % 3][0], shapes[i % 3][1], W, elements, x, x, x, y);
    }
    free(wide), free(x), free(y), free(W);
}
