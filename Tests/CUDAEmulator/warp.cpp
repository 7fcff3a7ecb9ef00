// The functions that the lanes of a warp call together. Which lane holds what is written after the
// PTX instruction set's "Matrix Fragments" and "ldmatrix", not after our kernels.
#include "accesses.h"
#include "kernel.h"

using emulator::call_together;
using emulator::fail;
using emulator::WarpFunction;

namespace {

enum { LANES = 32 };

void nothing(void *const *) {}
const WarpFunction syncwarp = {"__syncwarp", nothing, true};

struct Exchange {
    u32 given, taken;
    int from;
};

void exchange(void *const operands[LANES]) {
    for (int lane = 0; lane < LANES; lane++) {
        auto *mine = (Exchange *)operands[lane];
        mine->taken = ((Exchange *)operands[mine->from])->given;
    }
}
const WarpFunction shuffle = {"__shfl_sync", exchange}, shuffle_xor = {"__shfl_xor_sync", exchange};

u32 exchanged(const WarpFunction &function, u32 lanes, u32 x, int from) {
    if (lanes != ~0u) fail(std::string("names only some lanes in ") + function.name);
    if (from < 0 || from >= LANES)
        fail(std::string("asks ") + function.name + " for lane " + std::to_string(from));
    Exchange mine = {x, 0, from};
    call_together(function, &mine);
    return mine.taken;
}

int own_lane() { return (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % LANES; }

void vote(void *const operands[LANES]) {
    u32 yes = 0;
    for (int lane = 0; lane < LANES; lane++)
        if (*(u32 *)operands[lane] != 0) yes |= 1u << lane;
    for (int lane = 0; lane < LANES; lane++) *(u32 *)operands[lane] = yes;
}
const WarpFunction ballot = {"__ballot_sync", vote};

float half_word(u32 word, int half) { return to_float(bf16{(u16)(word >> 16 * half)}); }

struct Product {
    float *d;
    const u32 *a, *b;
};

// Element i of a lane's fragment is in half i % 2 of its word i / 2.
void multiply(void *const operands[LANES]) {
    float a[16][16], b[16][8], d[16][8];
    for (int lane = 0; lane < LANES; lane++) {
        auto *mine = (const Product *)operands[lane];
        int group = lane >> 2, in_group = lane % 4;
        for (int i = 0; i < 8; i++) {
            int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
            int column = in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
            a[row][column] = half_word(mine->a[i / 2], i % 2);
        }
        for (int i = 0; i < 4; i++) {
            int row = in_group * 2 + (i & 1) + (i < 2 ? 0 : 8);
            b[row][group] = half_word(mine->b[i / 2], i % 2);
        }
        for (int i = 0; i < 4; i++)
            d[i < 2 ? group : group + 8][in_group * 2 + (i & 1)] = mine->d[i];
    }
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 16; k++)
            for (int column = 0; column < 8; column++) d[row][column] += a[row][k] * b[k][column];
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++)
            ((const Product *)operands[lane])->d[i] =
                d[i < 2 ? lane >> 2 : (lane >> 2) + 8][lane % 4 * 2 + (i & 1)];
}
const WarpFunction mma = {"mma_16x8x16", multiply};

struct MatrixLoad {
    u32 *words;
    const bf16 *row;
};

// Lanes 8i to 8i + 7 name the rows of matrix i; lane l gets of it what stands in row l / 4 at columns
// 2 (l % 4) and the next, of the matrix or of its transpose.
template <bool transposed> void load(void *const operands[LANES]) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) {
            u32 word = 0;
            for (int half = 0; half < 2; half++) {
                int row = lane / 4, column = lane % 4 * 2 + half;
                if (transposed) {
                    row = column;
                    column = lane / 4;
                }
                u32 bits = ((const MatrixLoad *)operands[8 * i + row])->row[column].bits;
                word |= bits << 16 * half;
            }
            ((const MatrixLoad *)operands[lane])->words[i] = word;
        }
}
const WarpFunction ldmatrix = {"load_matrices", load<false>};
const WarpFunction ldmatrix_transposed = {"load_matrices_transposed", load<true>};

void load_together(const WarpFunction &function, u32 words[4], const bf16 *row) {
    emulator::check_shared(row, 16, function.name);
    emulator::track_read(row, 16);
    MatrixLoad mine = {words, row};
    call_together(function, &mine);
}

}  // namespace

void __syncwarp() { call_together(syncwarp, nullptr); }

unsigned __shfl_sync(unsigned lanes, unsigned x, int lane) {
    return exchanged(shuffle, lanes, x, lane);
}
float __shfl_sync(unsigned lanes, float x, int lane) {
    return __uint_as_float(exchanged(shuffle, lanes, __float_as_uint(x), lane));
}
unsigned __shfl_xor_sync(unsigned lanes, unsigned x, int mask) {
    return exchanged(shuffle_xor, lanes, x, own_lane() ^ mask);
}
float __shfl_xor_sync(unsigned lanes, float x, int mask) {
    return __uint_as_float(exchanged(shuffle_xor, lanes, __float_as_uint(x), own_lane() ^ mask));
}

unsigned __ballot_sync(unsigned lanes, int predicate) {
    if (lanes != ~0u) fail("names only some lanes in __ballot_sync");
    u32 mine = predicate != 0;
    call_together(ballot, &mine);
    return mine;
}

void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2]) {
    Product mine = {d, a, b};
    call_together(mma, &mine);
}

void load_matrices(u32 words[4], const bf16 *row) { load_together(ldmatrix, words, row); }
void load_matrices_transposed(u32 words[4], const bf16 *row) {
    load_together(ldmatrix_transposed, words, row);
}
