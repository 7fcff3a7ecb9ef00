// Kernels that the emulator's own tests run: some right, some wrong on purpose.
#include "../kernel.h"

namespace {

// y[block] = the sum of n numbers a block.
KERNEL trial_block_sum(const float *x, float *y, long n) {
    __shared__ float scratch[32];
    float sum = 0;
    for (long i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// y[i] = scale * x[i] + shift.
KERNEL trial_scale(const float *x, float *y, long n, float scale, int shift) {
    long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = scale * x[i] + (float)shift;
}

// d [16, 8] = a [16, 16] b [16, 8] through shared memory; one warp.
KERNEL trial_product(const bf16 *a, const bf16 *b, float *d) {
    DYNAMIC_SHARED(bf16, rows_of_a);
    bf16 *rows_of_b = rows_of_a + 16 * 16;
    int lane = threadIdx.x, group = lane / 4, pair = lane % 4 * 2;
    copy_async_16(rows_of_a + lane * 8, a + lane * 8);
    if (lane < 16) copy_async_16(rows_of_b + lane * 8, b + lane * 8);
    copy_async_commit();
    copy_async_wait<0>();
    sync_warp();
    u32 words_of_a[4], words_of_b[4];
    load_matrices(words_of_a, rows_of_a + lane % 16 * 16 + lane / 16 * 8);
    load_matrices_transposed(words_of_b, rows_of_b + lane % 16 * 8);
    float sums[4] = {0, 0, 0, 0};
    mma_16x8x16(sums, words_of_a, words_of_b);
    for (int i = 0; i < 4; i++) d[(group + i / 2 * 8) * 8 + pair + i % 2] = sums[i];
}

// words[lane][i] is what load_matrices gives of four matrices with the elements 0 to 255.
KERNEL trial_load_matrices(u32 *words, int transposed) {
    DYNAMIC_SHARED(bf16, elements);
    for (int i = 0; i < 8; i++) elements[threadIdx.x * 8 + i].bits = (u16)(threadIdx.x * 8 + i);
    sync_warp();
    u32 found[4];
    if (transposed) load_matrices_transposed(found, elements + threadIdx.x * 8);
    else load_matrices(found, elements + threadIdx.x * 8);
    for (int i = 0; i < 4; i++) words[threadIdx.x * 4 + i] = found[i];
}

// Each thread takes its neighbour's number, and no barrier is between.
KERNEL trial_missing_barrier(float *y) {
    DYNAMIC_SHARED(float, numbers);
    numbers[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = numbers[(threadIdx.x + 1) % blockDim.x];
}

// A copy that nobody waits for.
KERNEL trial_missing_wait(const float *x, float *y) {
    DYNAMIC_SHARED(float, numbers);
    copy_async_16(numbers + threadIdx.x * 4, x + threadIdx.x * 4);
    copy_async_commit();
    __syncthreads();
    y[threadIdx.x] = numbers[threadIdx.x * 4];
}

// Threads of the first warp alone come to the barrier.
KERNEL trial_parted_barrier(float *y) {
    if (threadIdx.x < WARP) __syncthreads();
    y[threadIdx.x] = 1;
}

// Half of each warp comes to the sum.
KERNEL trial_parted_warp(float *y) {
    float sum = 0;
    if (threadIdx.x % 2 == 0) sum = warp_sum(1);
    y[threadIdx.x] = sum;
}

// Writes the `n`th number of y, and of shared memory.
KERNEL trial_write(float *y, int n) {
    if (threadIdx.x == 0) y[n] = 1;
}
KERNEL trial_write_shared(int n) {
    DYNAMIC_SHARED(float, numbers);
    if (threadIdx.x == 0) numbers[n] = 1;
}

// Reads the `n`th number of x.
KERNEL trial_read(const float *x, float *y, int n) { y[threadIdx.x] = x[n]; }

// Each block writes the same number.
KERNEL trial_same_place(float *y) {
    if (threadIdx.x == 0) y[0] = 1;
}

// Reads four numbers by one access from the `n`th on.
KERNEL trial_read_four(const float *x, float *y, int n) {
    float4 four = *(const float4 *)(x + n);
    y[threadIdx.x] = four.x + four.y + four.z + four.w;
}

// Takes the `n`th of four numbers.
KERNEL trial_index(float *y, int n) {
    float four[4] = {0, 1, 2, 3};
    four[0] = (float)threadIdx.x;
    y[threadIdx.x] = four[n];
}

// What the compiler does not report: only the results of several orders, and red zones, show it.
#define UNWATCHED KERNEL __attribute__((no_sanitize("thread")))
UNWATCHED trial_race_unwatched(float *y) {
    DYNAMIC_SHARED(float, numbers);
    numbers[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = numbers[(threadIdx.x + 1) % blockDim.x];
}
UNWATCHED trial_write_unwatched(float *y, int n) {
    if (threadIdx.x == 0) y[n] = 1;
}
UNWATCHED trial_write_shared_unwatched(int n) {
    DYNAMIC_SHARED(float, numbers);
    if (threadIdx.x == 0) numbers[n] = 1;
}

// Reads shared memory that nobody wrote.
KERNEL trial_read_shared(float *y) {
    __shared__ float fixed[32];
    DYNAMIC_SHARED(float, dynamic);
    if (y == nullptr) fixed[threadIdx.x] = 1;
    y[threadIdx.x] = threadIdx.x % 2 == 0 ? fixed[threadIdx.x] : dynamic[threadIdx.x];
}

EMULATED_KERNELS(trial_block_sum, trial_scale, trial_product, trial_load_matrices,
                 trial_missing_barrier, trial_missing_wait, trial_parted_barrier, trial_parted_warp,
                 trial_write, trial_write_shared, trial_read, trial_same_place, trial_read_four,
                 trial_index, trial_race_unwatched, trial_write_unwatched,
                 trial_write_shared_unwatched, trial_read_shared)

}  // namespace
