// The paged cache [B, K, block_size, D] of keys and of values: writing to it, and attention of the
// new rows of sequences that have several (prefill, whole or in chunks). See
// include/paged_attention.h for the meaning, attention_rows.cuh for the arithmetic: a row has the
// same bits as in one packed pass. Sequences with one new row are paged_decode.cu's.
//
// A block of the grid is a tile of query rows of one kv head: grid (tiles, K); tiles: [grid, 2]
// words (sequence, first row), rows counted token by token and head by head. Starts, lengths,
// tables and slots are read from the device's memory. Of a table only the entries of tokens below
// the sequence's length are read, and of a block only these tokens.
#include "prelude.cuh"
#include "attention_tile.cuh"
#include "attention_rows.cuh"

// MARK: Writing

// A thread moves 16 bytes of k and of v, or where they do not lie that way one element: [T, K, D]
// to slots [T]. Rows with a negative slot are left out.
template <typename A, typename Piece>
__device__ __forceinline__ void write_cache(long T, long K, long D, long block_size,
                                            const int *slots, const A *k, const A *v, A *keys,
                                            A *values) {
    long words = sizeof(Piece) / sizeof(A);
    long i = ((long)blockIdx.x * blockDim.x + threadIdx.x) * words;
    if (i >= T * K * D) return;
    long t = i / (K * D), kv_head = i / D % K, d = i % D;
    int slot = slots[t];
    if (slot < 0) return;
    long place = (((long)slot / block_size * K + kv_head) * block_size + slot % block_size) * D + d;
    *(Piece *)(keys + place) = *(const Piece *)(k + i);
    *(Piece *)(values + place) = *(const Piece *)(v + i);
}

#define CACHE_WRITE(NAME, A, PIECE)                                                                \
    KERNEL NAME(long T, long K, long D, long block_size, const int *slots, const A *k, const A *v, \
                A *keys, A *values) {                                                              \
        write_cache<A, PIECE>(T, K, D, block_size, slots, k, v, keys, values);                     \
    }
CACHE_WRITE(paged_cache_write_f32, float, float)
CACHE_WRITE(paged_cache_write_bf16, bf16, bf16)
CACHE_WRITE(paged_cache_write_16_bytes_f32, float, uint4)
CACHE_WRITE(paged_cache_write_16_bytes_bf16, bf16, uint4)

// MARK: Several rows of a sequence

__device__ __forceinline__ int tile_of_block(RowRange &range, const int *tiles, const int *starts,
                                             const int *lengths, long H, long K, long D) {
    int s = tiles[2 * blockIdx.x], start = starts[s], count = starts[s + 1] - start;
    range.rows = query_rows(start, H, K, D, blockIdx.y);
    range.row = tiles[2 * blockIdx.x + 1];
    range.end = count * range.rows.group.size;
    range.first_position = lengths[s] - count;
    return s;
}

#define PAGED_PARAMETERS(A)                                                                        \
    const int *tiles, const int *starts, const int *lengths, const int *tables, long table_stride, \
        long H, long K, long D, long block_size, const A *q, const A *keys, const A *values,       \
        float scale, long window, A *out

#define PLAIN_PAGED(NAME, A)                                                                       \
    KERNEL NAME(PAGED_PARAMETERS(A)) {                                                             \
        RowRange range;                                                                            \
        int s = tile_of_block(range, tiles, starts, lengths, H, K, D);                             \
        attend_rows_plain(range,                                                                   \
                          paged_keys(tables + s * table_stride, K, D, block_size, blockIdx.y),     \
                          (int)D, q, keys, values, scale, reach_of(window), out, (float *)nullptr, \
                          range.rows);                                                             \
    }
PLAIN_PAGED(paged_attention_f32, float)
PLAIN_PAGED(paged_attention_bf16, bf16)

#define TILED_PAGED(NAME, D_, M)                                                                   \
    KERNEL __launch_bounds__(TILE_THREADS) NAME(PAGED_PARAMETERS(bf16)) {                          \
        RowRange range;                                                                            \
        int s = tile_of_block(range, tiles, starts, lengths, H, K, D_);                            \
        attend_rows<D_, M>(range,                                                                  \
                           paged_keys(tables + s * table_stride, K, D_, block_size, blockIdx.y),   \
                           q, keys, values, scale, reach_of(window), out, (float *)nullptr,        \
                           range.rows);                                                            \
    }
TILED_PAGED(paged_attention_bf16_d64, 64, 2)
TILED_PAGED(paged_attention_bf16_d128, 128, 1)
