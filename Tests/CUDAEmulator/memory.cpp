#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "block.h"

namespace emulator {

namespace {
enum { RED_ZONE = 1024, ALIGNMENT = 256 };

// The red zone behind a piece begins with the next whole pattern and ends with a page's worth.
size_t padded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
size_t even(size_t bytes) { return (bytes + 1) & ~(size_t)1; }
}  // namespace

Memory::~Memory() {
    for (Piece &piece : pieces) piece.free();
}

void *Memory::allocate(size_t bytes) {
    size_t all = RED_ZONE + padded(bytes) + RED_ZONE;
    auto *begin = (unsigned char *)aligned_alloc(ALIGNMENT, all);
    if (begin == nullptr) return nullptr;
    poison(begin, all);
    Piece piece = {begin + RED_ZONE, bytes, nullptr};
    auto after = std::find_if(pieces.begin(), pieces.end(), [&](const Piece &other) {
        return other.address > piece.address;
    });
    pieces.insert(after, piece);
    allocated += bytes;
    return begin + RED_ZONE;
}

bool Memory::Piece::has_any(const std::vector<const void *> &pointers) const {
    return std::any_of(pointers.begin(), pointers.end(),
                       [this](const void *pointer) { return has(pointer); });
}

void Memory::Piece::free() {
    free_cells(cells, bytes);
    ::free(address - RED_ZONE);
}

void Memory::append_tracked(std::vector<Tracked> &regions, const std::vector<const void *> &pointers) {
    for (Piece &piece : pieces) {
        if (piece.cells == nullptr && piece.has_any(pointers)) piece.cells = make_cells(piece.bytes);
        auto begin = (uintptr_t)piece.address;
        regions.push_back({begin, begin + piece.bytes, piece.cells, RED_ZONE, false});
    }
}

std::string Memory::damage(const Piece &piece) {
    std::string piece_text = "an allocation of " + std::to_string(piece.bytes) + " bytes";
    if (!is_poisoned(piece.address - RED_ZONE, RED_ZONE)) return piece_text + " was written before its begin";
    size_t end = even(piece.bytes);
    if (!is_poisoned(piece.address + end, padded(piece.bytes) - end + RED_ZONE))
        return piece_text + " was written past its end";
    return "";
}

std::string Memory::free(void *address) {
    for (size_t i = 0; i < pieces.size(); i++) {
        if (pieces[i].address != address) continue;
        std::string wrong = damage(pieces[i]);
        poison(pieces[i].address, pieces[i].bytes);
        pieces[i].free();
        allocated -= pieces[i].bytes;
        pieces.erase(pieces.begin() + (std::ptrdiff_t)i);
        return wrong;
    }
    return "what is freed is no allocation, or was freed before";
}

std::string Memory::overrun() const {
    for (const Piece &piece : pieces) {
        std::string wrong = damage(piece);
        if (!wrong.empty()) return wrong;
    }
    return "";
}

bool Memory::holds(const void *address, size_t bytes) const {
    auto *at = (const unsigned char *)address;
    for (const Piece &piece : pieces)
        if (at >= piece.address && at <= piece.address + piece.bytes
            && bytes <= (size_t)(piece.address + piece.bytes - at))
            return true;
    return false;
}

std::vector<const void *> Memory::pointers() const {
    std::vector<const void *> all;
    for (const Piece &piece : pieces) all.push_back(piece.address);
    return all;
}

Memory::Contents Memory::contents(const std::vector<const void *> &pointers) const {
    Contents found;
    for (const Piece &piece : pieces) {
        if (!piece.has_any(pointers)) continue;
        found.addresses.push_back(piece.address);
        found.bytes.emplace_back(piece.address, piece.address + piece.bytes);
    }
    return found;
}

void Memory::restore(const Contents &contents) {
    for (size_t i = 0; i < contents.addresses.size(); i++)
        memcpy(contents.addresses[i], contents.bytes[i].data(), contents.bytes[i].size());
}

std::string Memory::difference(const Contents &contents) {
    for (size_t i = 0; i < contents.addresses.size(); i++) {
        const std::vector<unsigned char> &bytes = contents.bytes[i];
        auto differing = std::mismatch(bytes.begin(), bytes.end(), contents.addresses[i]);
        if (differing.first != bytes.end())
            return "byte " + std::to_string(differing.first - bytes.begin()) + " of an allocation of "
                + std::to_string(bytes.size()) + " bytes";
    }
    return "";
}

}  // namespace emulator
