// Tells whether bytes are those that were written.
#pragma once
#include <stddef.h>
#include <stdint.h>

// XXH64 with seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md) of up to
// CK_CHECKSUM_PIECE bytes. Of more, the XXH64 of the pieces' own, in their order, which several
// threads compute. Not for anything that an attacker may choose.
uint64_t ck_checksum(const void *_Nullable data, long bytes);

enum { CK_CHECKSUM_PIECE = 1 << 22 };
