// The inner loop of linear_batch.inc for bf16 with AVX2, in assembly: while one piece of the columns
// is multiplied the next is widened, between the multiply-adds, where the processor has room for it.
// Compilers load too much too early for the 16 registers that there are, and sums go through memory.
#include "linear_batch_avx2.h"

#if CK_HAS_X86

enum { PIECE = 16 }; // elements of a column that are widened at once: even ones, then odd ones
static const uint32_t upper_halves[8] __attribute__((aligned(32))) = {
    0xffff0000u, 0xffff0000u, 0xffff0000u, 0xffff0000u,
    0xffff0000u, 0xffff0000u, 0xffff0000u, 0xffff0000u};

// One column and one element of the depth: two multiply-adds.
#define COLUMN(element, n, low, high)                                                              \
    "vbroadcastss " #element "+64*" #n "(%[pieces]), %%ymm14\n\t"                                  \
    "vfmadd231ps %%ymm14, %%ymm12, %%ymm" #low "\n\t"                                              \
    "vfmadd231ps %%ymm14, %%ymm13, %%ymm" #high "\n\t"
// All columns and one element, which lies `element` bytes into a piece.
#define STEP(x, element)                                                                           \
    "vmovups " #x "(%[x]), %%ymm12\n\t"                                                            \
    "vmovups 32+" #x "(%[x]), %%ymm13\n\t"                                                         \
    COLUMN(element, 0, 0, 1) COLUMN(element, 1, 2, 3) COLUMN(element, 2, 4, 5)                     \
    COLUMN(element, 3, 6, 7) COLUMN(element, 4, 8, 9) COLUMN(element, 5, 10, 11)
#define TWO_STEPS(x, element) STEP(x, element) STEP(64+x, 32+element)
// Widens the elements of column n that begin `from` bytes on into the piece at `to`.
#define WIDEN(from, to, n)                                                                         \
    "vmovdqu " #from "(%[row" #n "]), %%ymm14\n\t"                                                 \
    "vpslld $16, %%ymm14, %%ymm15\n\t"                                                             \
    "vpand %[mask], %%ymm14, %%ymm14\n\t"                                                          \
    "vmovdqa %%ymm15, " #to "+64*" #n "(%[pieces])\n\t"                                            \
    "vmovdqa %%ymm14, " #to "+32+64*" #n "(%[pieces])\n\t"
// Multiplies the pieces at `now` and widens into those at `next`.
#define PIECES(x, now, from, next)                                                                 \
    TWO_STEPS(x, now) WIDEN(from, next, 0)                                                         \
    TWO_STEPS(x+128, now+4) WIDEN(from, next, 1)                                                   \
    TWO_STEPS(x+256, now+8) WIDEN(from, next, 2)                                                   \
    TWO_STEPS(x+384, now+12) WIDEN(from, next, 3)                                                  \
    TWO_STEPS(x+512, now+16) WIDEN(from, next, 4)                                                  \
    TWO_STEPS(x+640, now+20) WIDEN(from, next, 5)                                                  \
    TWO_STEPS(x+768, now+24) TWO_STEPS(x+896, now+28)
#define STORE(n, low, high)                                                                        \
    "vmovups %%ymm" #low ", 64*" #n "(%[total])\n\t"                                               \
    "vmovups %%ymm" #high ", 32+64*" #n "(%[total])\n\t"
#define CLEAR(n) "vxorps %%xmm" #n ", %%xmm" #n ", %%xmm" #n "\n\t"
#define ADVANCE(n) "lea (%[row" #n "], %[step]), %[row" #n "]\n\t"

CK_TARGET_AVX2 long ck_linear_batch_avx2(const char *rows, const long *offsets, long stride,
                                         const float *x, long depth, float *total) {
    long pairs = depth / (2 * PIECE);
    if (pairs == 0) return 0;
    const char *ahead = rows + 6 * stride; // the next columns, in the order of memory
    float pieces[2][6][PIECE] __attribute__((aligned(64)));
    const char *row[6];
    for (int n = 0; n < 6; n++) {
        row[n] = rows + offsets[n];
        for (int i = 0; i < PIECE; i++) {
            uint16_t bits;
            memcpy(&bits, row[n] + 2 * i, sizeof bits);
            uint32_t wide = (uint32_t)bits << 16;
            memcpy(&pieces[0][n][i % 2 * 8 + i / 2], &wide, sizeof wide);
        }
    }
    long step = 2 * PIECE * 2;
    // The last pair of pieces is followed by itself: what lies beyond is not read. The flags of
    // `sub` last until the jump.
    __asm__ volatile(
        CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7) CLEAR(8) CLEAR(9)
        CLEAR(10) CLEAR(11)
        ".p2align 5\n"
        "1:\n\t"
        "prefetcht0 (%[ahead])\n\t"
        "prefetcht0 64(%[ahead])\n\t"
        "prefetcht0 128(%[ahead])\n\t"
        PIECES(0, 0, 32, 384)
        "prefetcht0 192(%[ahead])\n\t"
        "prefetcht0 256(%[ahead])\n\t"
        "prefetcht0 320(%[ahead])\n\t"
        "sub $1, %[pairs]\n\t"
        "cmovz %[zero], %[step]\n\t"
        ADVANCE(0) ADVANCE(1) ADVANCE(2) ADVANCE(3) ADVANCE(4) ADVANCE(5)
        PIECES(1024, 384, 0, 0)
        "lea 384(%[ahead]), %[ahead]\n\t"
        "lea 2048(%[x]), %[x]\n\t"
        "jnz 1b\n\t"
        STORE(0, 0, 1) STORE(1, 2, 3) STORE(2, 4, 5) STORE(3, 6, 7) STORE(4, 8, 9) STORE(5, 10, 11)
        : [x] "+r"(x), [pairs] "+r"(pairs), [ahead] "+r"(ahead), [step] "+r"(step),
          [row0] "+r"(row[0]), [row1] "+r"(row[1]), [row2] "+r"(row[2]), [row3] "+r"(row[3]),
          [row4] "+r"(row[4]), [row5] "+r"(row[5])
        : [pieces] "r"(pieces), [zero] "r"(0L), [mask] "m"(upper_halves),
          [total] "r"(total)
        : "memory", "cc", "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8",
          "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15");
    return depth / (2 * PIECE) * 2 * PIECE;
}

#endif
