// Every access of a kernel's to shared and device memory, as the compiler's thread sanitizer reports
// them; its own library is not linked. Found are accesses outside of allocations, also where they
// only read, and races: two accesses to a byte, one of them a write, by two threads between which no
// barrier stands (within a block), or by two blocks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

// Who used a byte last: when, and which threads. Times are barriers, counted over all launches.
struct Use {
    uint32_t time;
    // Of the thread's warp, within `time`.
    uint16_t turn;
    uint16_t thread;
};
struct Cell {
    Use written, read, read_by_another;
    // A copy is under way to it.
    bool is_awaited;
};

// Bytes that kernels use, with `zone` bytes before and after them that nobody may.
struct Tracked {
    uintptr_t begin, end;
    // One a byte; null where races are not looked for.
    Cell *cells;
    size_t zone;
    bool is_shared;
};

// So many cells; null where there is no room. Pages that nobody uses take no memory.
Cell *make_cells(size_t count);
void free_cells(Cell *cells, size_t count);

// What can be accessed in this launch, in the order of the addresses; it must stay where it is.
void begin_tracking(const Tracked *regions, size_t count);
void end_tracking();

// Accesses that no compiler reports: those of functions of the prelude.
void track_read(const void *address, size_t bytes);
void track_write(const void *address, size_t bytes);
// Between these two nobody may use the bytes.
void track_copy_begin(const void *address, size_t bytes);
void track_copy_end(const void *address, size_t bytes);

}  // namespace emulator
