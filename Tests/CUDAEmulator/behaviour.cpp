// What the compiler's checks of undefined behaviour call: an address that is less aligned than its
// type wants (a device traps where a CPU does not), an index past a fixed array's end, a shift too
// far, a division by zero. The compiler's own library for these is not linked.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "block.h"

namespace {

// As the compiler lays them out.
struct Place {
    const char *file;
    uint32_t line, column;
};
struct Type {
    uint16_t kind, details;
    char name[1];
};
struct AtType {
    Place place;
    const Type *type;
    uint8_t log_of_alignment, access;
};
struct At {
    Place place;
};

[[noreturn]] void tell(const Place &place, const std::string &what) {
    std::string file = place.file == nullptr ? "" : place.file;
    emulator::fail(what + " (" + file.substr(file.rfind('/') + 1) + ":" + std::to_string(place.line)
                   + ")");
}

}  // namespace

extern "C" {

void __ubsan_handle_type_mismatch_v1(const AtType *at, uintptr_t address) {
    uintptr_t alignment = (uintptr_t)1 << at->log_of_alignment;
    tell(at->place, std::string("uses an address as ") + at->type->name
                        + " that is no multiple of " + std::to_string(alignment) + " (by "
                        + std::to_string(address % alignment) + ")");
}

void __ubsan_handle_out_of_bounds(const At *at, uintptr_t index) {
    tell(at->place, "uses the index " + std::to_string((intptr_t)index) + ", past its array's end");
}

void __ubsan_handle_shift_out_of_bounds(const At *at, uintptr_t, uintptr_t count) {
    tell(at->place, "shifts by " + std::to_string((intptr_t)count) + " bits");
}

void __ubsan_handle_divrem_overflow(const At *at, uintptr_t, uintptr_t) {
    tell(at->place, "divides by zero");
}

}  // extern "C"
