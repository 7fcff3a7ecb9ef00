// XXH64 by pieces. Each piece is read once, front to back, in four lanes of 8 bytes: about as fast
// as memory gives them.
#include "../include/checksum.h"

#include <string.h>

#include "task.h"

static const uint64_t PRIME_1 = 0x9E3779B185EBCA87, PRIME_2 = 0xC2B2AE3D27D4EB4F,
                      PRIME_3 = 0x165667B19E3779F9, PRIME_4 = 0x85EBCA77C2B2AE63,
                      PRIME_5 = 0x27D4EB2F165667C5;

static uint64_t rotated(uint64_t x, int count) { return x << count | x >> (64 - count); }

// The words of the file are little-endian, as is every processor that this is built for.
static uint64_t word(const unsigned char *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint32_t half_word(const unsigned char *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t taken(uint64_t lane, uint64_t input) {
    return rotated(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t merged(uint64_t hash, uint64_t lane) {
    return (hash ^ taken(0, lane)) * PRIME_1 + PRIME_4;
}

static uint64_t xxh64(const unsigned char *p, size_t bytes) {
    const unsigned char *end = p + bytes;
    uint64_t hash = PRIME_5;
    if (bytes >= 32) {
        uint64_t a = PRIME_1 + PRIME_2, b = PRIME_2, c = 0, d = 0 - PRIME_1;
        for (; end - p >= 32; p += 32) {
            a = taken(a, word(p));
            b = taken(b, word(p + 8));
            c = taken(c, word(p + 16));
            d = taken(d, word(p + 24));
        }
        hash = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18);
        hash = merged(merged(merged(merged(hash, a), b), c), d);
    }
    hash += bytes;
    for (; end - p >= 8; p += 8)
        hash = rotated(hash ^ taken(0, word(p)), 27) * PRIME_1 + PRIME_4;
    for (; end - p >= 4; p += 4)
        hash = rotated(hash ^ half_word(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
    for (; p < end; p++) hash = rotated(hash ^ *p * PRIME_5, 11) * PRIME_1;
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

typedef struct {
    const unsigned char *data;
    long bytes;
    uint64_t *sums;
} pieces;

static void sum_piece(void *context, long task) {
    const pieces *all = context;
    ck_range range = ck_piece(task, CK_CHECKSUM_PIECE, all->bytes);
    all->sums[task] = xxh64(all->data + range.begin, (size_t)(range.end - range.begin));
}

uint64_t ck_checksum(const void *data, long bytes) {
    if (bytes == 0) return xxh64((const unsigned char *)"", 0);
    if (bytes <= CK_CHECKSUM_PIECE) return xxh64(data, (size_t)bytes);
    long count = (bytes + CK_CHECKSUM_PIECE - 1) / CK_CHECKSUM_PIECE;
    uint64_t *sums = ck_scratch(0, (size_t)count * sizeof *sums);
    ck_parallel(count, sum_piece, &(pieces){data, bytes, sums});
    return xxh64((const unsigned char *)sums, (size_t)count * sizeof *sums);
}
