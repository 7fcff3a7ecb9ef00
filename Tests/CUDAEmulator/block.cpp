#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "accesses.h"
#include "context.h"

emulator::Dimensions threadIdx, blockIdx, blockDim, gridDim;

// All `__shared__` variables of all kernels; the linker knows where the section begins and ends.
#if defined(__APPLE__)
extern unsigned char static_shared_begin[] asm("section$start$__DATA$emulated_shared");
extern unsigned char static_shared_end[] asm("section$end$__DATA$emulated_shared");
__attribute__((used, section("__DATA,emulated_shared"))) static int anything_shared;
#else
extern unsigned char static_shared_begin[] asm("__start_emulated_shared");
extern unsigned char static_shared_end[] asm("__stop_emulated_shared");
__attribute__((used, section("emulated_shared"))) static int anything_shared;
#endif

namespace emulator {

unsigned char *dynamic_shared;

namespace {

enum { LANES = 32, MOST_THREADS = 1024, STACK_BYTES = 256 << 10, PAGE_BYTES = 16 << 10 };
// What a block of an H100 may ask for; 4 KiB before and after it must stay as they were.
enum { MOST_SHARED = 227 << 10, SHARED_ZONE = 4 << 10 };

struct Copy {
    void *shared;
    const void *global;
    bool use;
    int group;
    bool is_done;
};

struct Fiber {
    void *stack;  // where it was left
    Dimensions index;
    enum State { ready, at_barrier, in_warp_function, returned } state;
    std::vector<Copy> copies;
    int group;
};

struct Warp {
    uint32_t ready, arrived;
    uint16_t turn;
    const WarpFunction *function;
    void *operands[LANES];
};

// The block that runs; there is one at a time.
struct Block {
    const Launch *launch;
    Order order;
    uint64_t random;
    int threads, warps, at_barrier, returned;
    int running = -1;
    uint32_t launch_time, block_time, time = 1;
    uint32_t ready_warps;  // those with a lane that can go on
    void *scheduler_stack;
    std::string failure;
    Fiber fibers[MOST_THREADS];
    Warp warp[MOST_THREADS / LANES];
};
Block block;

uint32_t next_random() {
    block.random = block.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(block.random >> 33);
}

// One of the bits of `mask`, which has one.
int picked_bit(uint32_t mask) {
    switch (block.order.kind) {
    case Order::forward: return __builtin_ctz(mask);
    case Order::backward: return 31 - __builtin_clz(mask);
    case Order::shuffled: {
        // The first from a drawn place on: not all are as likely, which does not matter here.
        int from = (int)(next_random() % LANES);
        uint32_t turned = mask >> from | (from == 0 ? 0 : mask << (LANES - from));
        return (__builtin_ctz(turned) + from) % LANES;
    }
    }
    return 0;
}

// The thread that goes on, or -1.
int picked_thread() {
    if (block.ready_warps == 0) return -1;
    int number = picked_bit(block.ready_warps);
    Warp &warp = block.warp[number];
    int lane = picked_bit(warp.ready);
    warp.ready &= ~(1u << lane);
    if (warp.ready == 0) block.ready_warps &= ~(1u << number);
    return number * LANES + lane;
}

void make_ready(int warp) {
    block.warp[warp].ready = ~0u;
    block.ready_warps |= 1u << warp;
    for (int lane = 0; lane < LANES; lane++) block.fibers[warp * LANES + lane].state = Fiber::ready;
}

// Leaves the running thread for one that can go on, or for the scheduler where there is none.
void go_on_elsewhere() {
    int self = block.running, next = picked_thread();
    if (next == self) return;
    void *to = block.scheduler_stack;
    if (next >= 0) {
        to = block.fibers[next].stack;
        block.running = next;
        threadIdx = block.fibers[next].index;
    }
    emulator_switch_stack(&block.fibers[self].stack, to);
}

void fiber_body() {
    block.launch->entry(block.launch->parameters);
    Fiber &fiber = block.fibers[block.running];
    fiber.state = Fiber::returned;
    block.returned++;
    go_on_elsewhere();
    __builtin_unreachable();
}

std::string text(Dimensions d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

// Stacks of the fibers, each with a page below it that must not be touched.
unsigned char *stacks() {
    static unsigned char *memory = [] {
        void *all = mmap(nullptr, (size_t)MOST_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED) abort();
        for (size_t i = 0; i < MOST_THREADS; i++)
            mprotect((unsigned char *)all + i * STACK_BYTES, PAGE_BYTES, PROT_NONE);
        return (unsigned char *)all;
    }();
    return memory;
}

void prepare_fibers() {
    Dimensions size = block.launch->block;
    for (int i = 0; i < block.threads; i++) {
        Fiber &fiber = block.fibers[i];
        // Not all tops at the same place of their pages, which the cache would mix up.
        unsigned char *top = stacks() + (size_t)(i + 1) * STACK_BYTES - (size_t)(i % 61) * 64;
        fiber.stack = prepared_stack(top, fiber_body);
        unsigned n = (unsigned)i;
        fiber.index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
        fiber.copies.clear();
        fiber.group = 0;
    }
    block.at_barrier = block.returned = 0;
    block.ready_warps = 0;
    block.block_time = ++block.time;
    for (int i = 0; i < block.warps; i++) {
        block.warp[i].arrived = 0;
        block.warp[i].turn = 0;
        make_ready(i);
    }
}

// Why no thread can go on though some have not returned.
std::string standstill() {
    std::string of = " of " + std::to_string(block.threads) + " threads";
    for (int i = 0; i < block.warps; i++) {
        Warp &warp = block.warp[i];
        if (warp.arrived == 0) continue;
        int missing = i * LANES + __builtin_ctz(~warp.arrived);
        return std::string(warp.function->name) + " was called by "
            + std::to_string(__builtin_popcount(warp.arrived)) + " of the 32 lanes of warp "
            + std::to_string(i) + ": thread " + std::to_string(missing)
            + (block.fibers[missing].state == Fiber::returned ? " has returned"
                                                              : " waits at a barrier");
    }
    int missing = 0;
    while (block.fibers[missing].state != Fiber::returned) missing++;
    return "__syncthreads was reached by " + std::to_string(block.at_barrier) + of + ": thread "
        + std::to_string(missing) + " has returned";
}

// The shared memory that the launch asks for, with its red zones.
struct DynamicShared {
    alignas(128) unsigned char memory[SHARED_ZONE + MOST_SHARED + SHARED_ZONE];
    void prepare(size_t bytes) {
        dynamic_shared = memory + SHARED_ZONE;
        poison(memory, SHARED_ZONE + bytes + SHARED_ZONE);
    }
    bool is_overrun(size_t bytes) const {
        // An odd number of bytes ends within a pattern: what is before it is the kernel's.
        size_t end = SHARED_ZONE + ((bytes + 1) & ~(size_t)1);
        return !is_poisoned(memory, SHARED_ZONE) || !is_poisoned(memory + end, SHARED_ZONE - 2);
    }
};
DynamicShared shared;

std::string run_block(Dimensions index) {
    blockIdx = index;
    shared.prepare(block.launch->shared_bytes);
    poison(static_shared_begin, (size_t)(static_shared_end - static_shared_begin));
    prepare_fibers();
    block.running = picked_thread();
    threadIdx = block.fibers[block.running].index;
    emulator_switch_stack(&block.scheduler_stack, block.fibers[block.running].stack);
    block.running = -1;
    std::string failure = block.failure;
    if (failure.empty() && block.returned < block.threads) failure = standstill();
    if (failure.empty() && shared.is_overrun(block.launch->shared_bytes))
        failure = "dynamic shared memory was written outside of its "
            + std::to_string(block.launch->shared_bytes) + " bytes";
    if (failure.empty()) return failure;
    return "kernel " + block.launch->name + ", block " + text(index) + ": " + failure;
}

void perform(Copy &copy) {
    if (copy.is_done) return;
    if (copy.use) memcpy(copy.shared, copy.global, 16);
    else memset(copy.shared, 0, 16);
    copy.is_done = true;
}

}  // namespace

std::string impossible_launch(const Launch &launch) {
    Dimensions grid = launch.grid, size = launch.block;
    uint64_t threads = (uint64_t)size.x * size.y * size.z;
    std::string kernel = "kernel " + launch.name + ": ";
    if (threads == 0 || threads > MOST_THREADS || threads % LANES != 0)
        return kernel + "a block of " + std::to_string(threads)
            + " threads; it must be a multiple of 32 up to 1024";
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535
        || grid.z > 65535)
        return kernel + "a grid of " + text(grid) + " blocks; CUDA allows 1 to 2147483647, 65535 and 65535";
    if (launch.shared_bytes > MOST_SHARED)
        return kernel + std::to_string(launch.shared_bytes) + " bytes of shared memory; "
            + std::to_string(MOST_SHARED) + " is the most";
    return "";
}

std::string run(const Launch &launch, Order order) {
    std::string failure = impossible_launch(launch);
    if (!failure.empty()) return failure;
    block.launch = &launch;
    block.order = order;
    block.random = order.seed * 0x9e3779b97f4a7c15u + 1;
    block.threads = (int)(launch.block.x * launch.block.y * launch.block.z);
    block.warps = block.threads / LANES;
    block.failure.clear();
    block.launch_time = block.time + 1;
    gridDim = launch.grid;
    blockDim = launch.block;
    uint64_t blocks = (uint64_t)launch.grid.x * launch.grid.y * launch.grid.z;
    std::vector<uint64_t> turn(blocks);
    std::iota(turn.begin(), turn.end(), 0);
    for (uint64_t i = 0; i < blocks && failure.empty(); i++) {
        if (order.kind == Order::shuffled) std::swap(turn[i], turn[i + next_random() % (blocks - i)]);
        uint64_t b = order.kind == Order::backward ? blocks - 1 - i : turn[i];
        failure = run_block({(unsigned)(b % launch.grid.x), (unsigned)(b / launch.grid.x % launch.grid.y),
                             (unsigned)(b / launch.grid.x / launch.grid.y)});
    }
    return failure;
}

Moment moment() {
    return {block.launch_time, block.block_time, block.time,
            block.warp[block.running / LANES].turn, (uint16_t)block.running};
}

void append_shared_memory(std::vector<Tracked> &regions, size_t shared_bytes) {
    static Cell *fixed = make_cells((size_t)(static_shared_end - static_shared_begin));
    static Cell *dynamic = make_cells(MOST_SHARED);
    auto begin = (uintptr_t)shared.memory + SHARED_ZONE;
    regions.push_back({(uintptr_t)static_shared_begin, (uintptr_t)static_shared_end, fixed, 0, true});
    regions.push_back({begin, begin + shared_bytes, dynamic, SHARED_ZONE, true});
}

void call_together(const WarpFunction &function, void *operands) {
    int number = block.running / LANES, lane = block.running % LANES;
    Warp &warp = block.warp[number];
    if (warp.arrived == 0) warp.function = &function;
    if (warp.function != &function)
        fail(std::string("calls ") + function.name + " while other lanes of its warp call "
             + warp.function->name);
    warp.arrived |= 1u << lane;
    warp.operands[lane] = operands;
    block.fibers[block.running].state = Fiber::in_warp_function;
    if (warp.arrived == ~0u) {
        function.perform(warp.operands);
        warp.arrived = 0;
        if (function.orders_memory) warp.turn++;
        make_ready(number);
    }
    go_on_elsewhere();
}

void sync_block() {
    block.fibers[block.running].state = Fiber::at_barrier;
    block.at_barrier++;
    if (block.at_barrier == block.threads) {
        block.at_barrier = 0;
        block.time++;
        for (int i = 0; i < block.warps; i++) make_ready(i);
    }
    go_on_elsewhere();
}

void fail(const std::string &what) {
    if (block.running < 0) {
        fprintf(stderr, "The emulator itself %s.\n", what.c_str());
        abort();
    }
    block.failure = "thread " + std::to_string(block.running) + " " + what;
    emulator_switch_stack(&block.fibers[block.running].stack, block.scheduler_stack);
    __builtin_unreachable();
}

void check_shared(const void *address, size_t bytes, const char *user) {
    auto at = (uintptr_t)address;
    auto lies_in = [&](const unsigned char *begin, const unsigned char *end) {
        return at >= (uintptr_t)begin && at + bytes <= (uintptr_t)end;
    };
    if (!lies_in(dynamic_shared, dynamic_shared + block.launch->shared_bytes)
        && !lies_in(static_shared_begin, static_shared_end)) {
        auto offset = (intptr_t)(at - (uintptr_t)dynamic_shared);
        fail(std::string("gives ") + user + " an address outside of shared memory (byte "
             + std::to_string(offset) + " of " + std::to_string(block.launch->shared_bytes) + ")");
    }
    if (at % 16 != 0)
        fail(std::string("gives ") + user + " an address that is not a multiple of 16 (ends in "
             + std::to_string(at % 16) + ")");
}

void copy_later(void *shared, const void *global, bool use) {
    check_shared(shared, 16, "copy_async_16");
    if ((uintptr_t)global % 16 != 0)
        fail("gives copy_async_16 a source that is not a multiple of 16 (ends in "
             + std::to_string((uintptr_t)global % 16) + ")");
    Fiber &fiber = block.fibers[block.running];
    if (use) track_read(global, 16);
    track_copy_begin(shared, 16);
    Copy copy = {shared, global, use, fiber.group, false};
    bool at_once = block.order.kind == Order::backward
        || (block.order.kind == Order::shuffled && next_random() % 2 == 0);
    if (at_once) perform(copy);
    fiber.copies.push_back(copy);
}

void commit_copies() { block.fibers[block.running].group++; }

void wait_for_copies(int groups_left) {
    Fiber &fiber = block.fibers[block.running];
    size_t done = 0;
    while (done < fiber.copies.size() && fiber.copies[done].group < fiber.group - groups_left) {
        Copy &copy = fiber.copies[done++];
        perform(copy);
        track_copy_end(copy.shared, 16);
    }
    fiber.copies.erase(fiber.copies.begin(), fiber.copies.begin() + (std::ptrdiff_t)done);
}

namespace {
// 0xffc5 is no number as bf16, and twice it is none as f32.
struct Pattern {
    unsigned char bytes[4096];
    Pattern() {
        for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = i % 2 == 0 ? 0xc5 : 0xff;
    }
};
const Pattern &pattern() {
    static const Pattern once;
    return once;
}
}  // namespace

void poison(void *memory, size_t bytes) {
    for (size_t i = 0; i < bytes; i += sizeof(Pattern))
        memcpy((unsigned char *)memory + i, pattern().bytes, std::min(bytes - i, sizeof(Pattern)));
}

bool is_poisoned(const void *memory, size_t bytes) {
    for (size_t i = 0; i < bytes; i += sizeof(Pattern))
        if (memcmp((const unsigned char *)memory + i, pattern().bytes,
                   std::min(bytes - i, sizeof(Pattern))) != 0)
            return false;
    return true;
}

}  // namespace emulator
