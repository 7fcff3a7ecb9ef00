// Causal grouped-query attention over packed sequences (see include/attention.h for its meaning),
// forward. attention_rows.cuh has the arithmetic, attention_backward.cu the gradients.
//
// A block is a tile of query rows of one kv head: grid (tiles, K). The host lists the tiles
// (sequence, first row), those that see the most keys first, so that no block is without work and
// the last to start are short. A tile has 16 rows (plain loops), 128 (d64) or 64 (d128).
//
// q, out: [T, H, D]; k, v: [T, K, D]; lse: [T, H] or null; tiles: [grid, 2]; sequences: [S, 4] as
// in ck_packed_sequence. Keys are met in the order of their place in the sequence, in tiles counted
// from its first token: a row has the same bits with a prefix as with rows of its own.
#include "prelude.cuh"
#include "attention_tile.cuh"
#include "attention_rows.cuh"

// The tile of rows that this block has.
__device__ __forceinline__ PackedSequence tile_of_block(RowRange &range, const int *tiles,
                                                        const PackedSequence *sequences, long H,
                                                        long K, long D) {
    PackedSequence sequence = sequences[tiles[2 * blockIdx.x]];
    range.rows = query_rows(sequence.start, H, K, D, blockIdx.y);
    range.row = tiles[2 * blockIdx.x + 1];
    range.end = sequence.count * range.rows.group.size;
    range.first_position = sequence.prefix_count;
    return sequence;
}

#define PLAIN_FORWARD(NAME, A)                                                                     \
    KERNEL NAME(const int *tiles, const PackedSequence *sequences, long H, long K, long D,         \
                const A *q, const A *k, const A *v, float scale, long window, A *out,              \
                float *lse) {                                                                      \
        RowRange range;                                                                            \
        PackedSequence sequence = tile_of_block(range, tiles, sequences, H, K, D);                 \
        attend_rows_plain(range, packed_keys(sequence, K, D, blockIdx.y), (int)D, q, k, v, scale,  \
                          reach_of(window), out, lse,                                              \
                          query_rows(sequence.start, H, K, 1, blockIdx.y));                        \
    }
PLAIN_FORWARD(attention_forward_f32, float)
PLAIN_FORWARD(attention_forward_bf16, bf16)

#define TILED_FORWARD(NAME, D_, M)                                                                 \
    KERNEL __launch_bounds__(TILE_THREADS)                                                         \
    NAME(const int *tiles, const PackedSequence *sequences, long H, long K, long D,         \
                const bf16 *q, const bf16 *k, const bf16 *v, float scale, long window, bf16 *out,  \
                float *lse) {                                                                      \
        RowRange range;                                                                            \
        PackedSequence sequence = tile_of_block(range, tiles, sequences, H, K, D_);                \
        attend_rows<D_, M>(range, packed_keys(sequence, K, D_, blockIdx.y), q, k, v, scale,        \
                           reach_of(window), out, lse,                                             \
                           query_rows(sequence.start, H, K, 1, blockIdx.y));                       \
    }
TILED_FORWARD(attention_forward_bf16_d64, 64, 2)
TILED_FORWARD(attention_forward_bf16_d128, 128, 1)
