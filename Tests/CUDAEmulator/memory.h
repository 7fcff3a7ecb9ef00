// Memory of an emulated device: from malloc, poisoned, between red zones.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "accesses.h"

namespace emulator {

// All that is allocated of one device. Not safe for threads: the caller holds a lock.
class Memory {
  public:
    ~Memory();
    // 256-byte aligned, as cuMemAlloc's; filled with numbers that are no numbers.
    void *allocate(size_t bytes);
    // What is wrong with it, in one sentence; empty where it is an allocation with whole red zones.
    std::string free(void *address);
    // The first allocation with a red zone that was written to, in one sentence, or nothing.
    std::string overrun() const;
    // What is allocated and holds all `bytes` at `address`.
    bool holds(const void *address, size_t bytes) const;

    // The addresses of all that is allocated.
    std::vector<const void *> pointers() const;
    size_t bytes() const { return allocated; }
    size_t count() const { return pieces.size(); }

    // All that is allocated, in the order of the addresses; races are looked for where the pointers
    // point into.
    void append_tracked(std::vector<Tracked> &regions, const std::vector<const void *> &pointers);

    // What stands in some allocations.
    struct Contents {
        std::vector<unsigned char *> addresses;
        std::vector<std::vector<unsigned char>> bytes;
    };
    // Of the allocations that the pointers point into.
    Contents contents(const std::vector<const void *> &pointers) const;
    static void restore(const Contents &contents);
    // Where memory differs from these, in words; empty where it does not.
    static std::string difference(const Contents &contents);

  private:
    struct Piece {
        unsigned char *address;
        size_t bytes;
        Cell *cells;

        bool has(const void *pointer) const {
            return pointer >= address && pointer < address + bytes;
        }
        bool has_any(const std::vector<const void *> &pointers) const;
        void free();
    };
    // In the order of their addresses.
    std::vector<Piece> pieces;
    size_t allocated = 0;

    static std::string damage(const Piece &piece);
};

}  // namespace emulator
