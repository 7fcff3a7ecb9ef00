// A launch on the CPU: blocks run one after another, and the threads of a block are fibers of one
// thread of the machine, which are switched at barriers and warp functions alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

struct Dimensions {
    unsigned x, y, z;
    constexpr Dimensions(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Which of the threads that could go on does so, and which block is next. A kernel with a race (a
// missing barrier) gives other results in another order; a kernel without one gives the same bits.
// `forward` ends asynchronous copies as late as may be, `backward` at once, `shuffled` as it comes.
struct Order {
    enum Kind { forward, backward, shuffled } kind = forward;
    uint64_t seed = 0;
};

struct Launch {
    std::string name;
    void (*entry)(void **parameters);
    void **parameters;
    Dimensions grid, block;
    size_t shared_bytes = 0;
};

// Why CUDA would not take the launch, in one sentence, or nothing.
std::string impossible_launch(const Launch &launch);

// Shared memory as the kernels' checks see it, in the order of the addresses. The cells are kept.
struct Tracked;
void append_shared_memory(std::vector<Tracked> &regions, size_t shared_bytes);

// Runs every block. What the kernel did wrong in one sentence; empty where all is well. One launch
// at a time: the caller holds a lock.
std::string run(const Launch &launch, Order order);

// MARK: For the device functions of a running kernel

// A function that all lanes of a warp call together. `perform` gets what each lane passed.
struct WarpFunction {
    const char *name;
    void (*perform)(void *const operands[32]);
    // Whether what a lane wrote before is seen by the others after.
    bool orders_memory = false;
};
void call_together(const WarpFunction &function, void *operands);

void sync_block();

// When the running thread runs: times are barriers, counted over all launches.
struct Moment {
    // Of the launch's begin, of the block's, and now.
    uint32_t launch, block, time;
    // How often the thread's warp was synchronised since.
    uint16_t turn;
    uint16_t thread;
};
Moment moment();

// Ends the launch with a sentence about the running thread.
[[noreturn]] void fail(const std::string &what);

// Ends the launch unless `bytes` at `address` lie in shared memory, aligned to 16 bytes.
void check_shared(const void *address, size_t bytes, const char *user);

void copy_later(void *shared, const void *global, bool use);
void commit_copies();
void wait_for_copies(int groups_left);

extern unsigned char *dynamic_shared;

// Fills memory with numbers that are no numbers, as f32 and as bf16.
void poison(void *memory, size_t bytes);
bool is_poisoned(const void *memory, size_t bytes);

}  // namespace emulator

// Set before a fiber goes on.
extern emulator::Dimensions threadIdx, blockIdx, blockDim, gridDim;
