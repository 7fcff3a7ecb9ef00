// Causal grouped-query attention of new tokens against a paged cache: prefill, chunked prefill
// and decode are one kernel. A cache holds, per layer, blocks [B, K, block_size, D] of keys and
// the same of values; the table of a sequence names its blocks in order.
#pragma once
#include <stdint.h>

// Writes the new keys and values k, v [T, K, D] to their slots. slots[t] = block * block_size +
// offset within the block.
void ck_paged_cache_write(long T, long K, long D, long block_size, const int32_t *_Nonnull slots,
                          const float *_Nonnull k, const float *_Nonnull v,
                          float *_Nonnull key_cache, float *_Nonnull value_cache);

// S sequences; sequence s owns the query rows starts[s] ..< starts[s + 1] and has lengths[s]
// tokens in the cache, the new ones included and last; its blocks are
// tables[s * table_stride ...]. The result of each row has the same bits as
// ck_attention_forward gives for that token in one packed pass.
void ck_paged_attention(long S, const int32_t *_Nonnull starts, const int32_t *_Nonnull lengths,
                        const int32_t *_Nonnull tables, long table_stride, long H, long K, long D,
                        long block_size, const float *_Nonnull q,
                        const float *_Nonnull key_cache, const float *_Nonnull value_cache,
                        float scale, long window, float *_Nonnull out);
