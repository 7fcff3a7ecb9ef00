#include "accesses.h"

#include <sys/mman.h>

#include <string>

#include "block.h"

// Nothing here is itself reported.
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)

namespace emulator {

namespace {

enum { LANES_OF_WARP = 32 };

const Tracked *regions;
size_t region_count;
// The one that was found last.
size_t found;

// The region whose bytes or red zones hold the address; null where it is somebody else's memory.
const Tracked *region_of(uintptr_t address) {
    auto holds = [=](const Tracked &region) {
        return address >= region.begin - region.zone && address < region.end + region.zone;
    };
    if (found < region_count && holds(regions[found])) return &regions[found];
    size_t low = 0, high = region_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (regions[middle].end + regions[middle].zone <= address) low = middle + 1;
        else high = middle;
    }
    if (low == region_count || !holds(regions[low])) return nullptr;
    found = low;
    return &regions[low];
}

// Whether nothing stands between that use and the running thread's. Each block has shared memory of
// its own.
bool is_unordered(const Tracked &region, const Use &use, const Moment &now) {
    if (use.time < now.launch) return false;
    if (use.time < now.block) return !region.is_shared;
    if (use.time < now.time || use.thread == now.thread) return false;
    bool is_same_warp = use.thread / LANES_OF_WARP == now.thread / LANES_OF_WARP;
    return !(is_same_warp && use.turn != now.turn);
}

std::string place(const Tracked &region, uintptr_t address) {
    return "byte " + std::to_string((intptr_t)(address - region.begin)) + " of "
        + std::to_string(region.end - region.begin)
        + (region.is_shared ? " of shared memory" : " of an allocation");
}

[[noreturn]] void race(const Tracked &region, uintptr_t address, const char *does, const char *did,
                       const Use &use, const Moment &now) {
    std::string other = use.time < now.block ? "another block" : "thread " + std::to_string(use.thread);
    fail(std::string(does) + " " + place(region, address) + ", which " + other + " " + did
         + ", and no barrier is between");
}

void record_read(const Tracked &region, Cell &cell, const Use &use, const Moment &now) {
    bool is_free = cell.read.thread == use.thread || !is_unordered(region, cell.read, now);
    if (!is_free) cell.read_by_another = cell.read;
    cell.read = use;
}

void access(const void *pointer, size_t bytes, bool writes) {
    if (region_count == 0) return;
    auto address = (uintptr_t)pointer;
    const Tracked *region = region_of(address);
    if (region == nullptr) return;
    if (address < region->begin || address + bytes > region->end)
        fail(std::string(writes ? "writes " : "reads ") + std::to_string(bytes) + " bytes at "
             + place(*region, address));
    if (region->cells == nullptr) return;
    Moment now = moment();
    Use use = {now.time, now.turn, now.thread};
    for (uintptr_t at = address; at < address + bytes; at++) {
        Cell &cell = region->cells[at - region->begin];
        const char *does = writes ? "writes" : "reads";
        if (is_unordered(*region, cell.written, now)) race(*region, at, does, "wrote", cell.written, now);
        if (cell.is_awaited && cell.written.time >= now.block)
            fail(std::string(does) + " " + place(*region, at)
                 + ", to which an asynchronous copy is under way");
        if (!writes) {
            record_read(*region, cell, use, now);
            continue;
        }
        for (const Use *read : {&cell.read, &cell.read_by_another})
            if (is_unordered(*region, *read, now)) race(*region, at, does, "read", *read, now);
        cell.written = use;
        cell.is_awaited = false;
    }
}

void set_awaited(const void *pointer, size_t bytes, bool is_awaited) {
    const Tracked *region = region_count == 0 ? nullptr : region_of((uintptr_t)pointer);
    if (region == nullptr || region->cells == nullptr) return;
    for (size_t i = 0; i < bytes; i++)
        region->cells[(uintptr_t)pointer - region->begin + i].is_awaited = is_awaited;
}

}  // namespace

Cell *make_cells(size_t count) {
    void *cells = mmap(nullptr, count * sizeof(Cell), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return cells == MAP_FAILED ? nullptr : (Cell *)cells;
}
void free_cells(Cell *cells, size_t count) {
    if (cells != nullptr) munmap(cells, count * sizeof(Cell));
}

void begin_tracking(const Tracked *all, size_t count) {
    regions = all;
    region_count = count;
    found = 0;
}
void end_tracking() { region_count = 0; }

void track_read(const void *address, size_t bytes) { access(address, bytes, false); }
void track_write(const void *address, size_t bytes) { access(address, bytes, true); }

void track_copy_begin(const void *address, size_t bytes) {
    access(address, bytes, true);
    set_awaited(address, bytes, true);
}
void track_copy_end(const void *address, size_t bytes) {
    set_awaited(address, bytes, false);
    access(address, bytes, true);
}

}  // namespace emulator

// MARK: What the compiler calls

extern "C" {

#define ACCESS(bytes)                                                                            \
    void __tsan_read##bytes(void *at) { emulator::track_read(at, bytes); }                       \
    void __tsan_write##bytes(void *at) { emulator::track_write(at, bytes); }                     \
    void __tsan_unaligned_read##bytes(void *at) { emulator::track_read(at, bytes); }             \
    void __tsan_unaligned_write##bytes(void *at) { emulator::track_write(at, bytes); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
#undef ACCESS

void __tsan_read_range(void *at, size_t bytes) { emulator::track_read(at, bytes); }
void __tsan_write_range(void *at, size_t bytes) { emulator::track_write(at, bytes); }
void __tsan_init(void) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}

// Of variables that are made at their first use.
char __tsan_atomic8_load(const volatile char *at, int) { return *at; }

void *__tsan_memcpy(void *to, const void *from, size_t bytes) {
    emulator::track_read(from, bytes);
    emulator::track_write(to, bytes);
    return __builtin_memcpy(to, from, bytes);
}
void *__tsan_memmove(void *to, const void *from, size_t bytes) {
    emulator::track_read(from, bytes);
    emulator::track_write(to, bytes);
    return __builtin_memmove(to, from, bytes);
}
void *__tsan_memset(void *to, int value, size_t bytes) {
    emulator::track_write(to, bytes);
    return __builtin_memset(to, value, bytes);
}

}  // extern "C"

#pragma clang attribute pop
