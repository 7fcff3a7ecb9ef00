// Attention of new tokens against a paged cache. The arithmetic is that of packed attention
// (attention_block.h): key blocks are counted from the sequence's first token, wherever the cache
// keeps them, so that a row's result has the same bits.
//
// A task is one block of query rows of one kv head of one sequence: at decode, the query heads of
// one kv head, so that its keys and values are read once.
#include "../include/paged_attention.h"

#include <string.h>

#include "../include/parallel.h"
#include "attention_block.h"
#include "task.h"

typedef struct {
    long S, H, K, D, group, block_size, table_stride, window;
    float scale;
    const int32_t *starts, *lengths, *tables;
    const float *q, *key_cache, *value_cache;
    float *out;
    const ck_block_kernels *kernels;
    const long *first_task; // [S + 1]
} paged_attention;

static long row_blocks(const paged_attention *a, long s) {
    return ck_divide_up((a->starts[s + 1] - a->starts[s]) * a->group, CK_ROW_BLOCK);
}

static void attend_task(void *context, long task) {
    const paged_attention *a = context;
    long s = ck_sequence_of_task(a->S, a->first_task, task), within = task - a->first_task[s];
    long start = a->starts[s], tokens = a->starts[s + 1] - start, kv_head = within % a->K;
    long row = (row_blocks(a, s) - 1 - within / a->K) * CK_ROW_BLOCK; // the longest first
    long count = ck_min(CK_ROW_BLOCK, tokens * a->group - row);
    long first_position = a->lengths[s] - tokens;
    ck_query_rows rows = ck_query_rows_make(count, a->D, a->window);
    for (long r = 0; r < count; r++) {
        long token = (row + r) / a->group, head = kv_head * a->group + (row + r) % a->group;
        const float *restrict q = a->q + ((start + token) * a->H + head) * a->D;
        float *restrict scaled = rows.q + r * a->D;
        for (long d = 0; d < a->D; d++) scaled[d] = q[d] * a->scale;
        rows.positions[r] = (int32_t)(first_position + token);
    }
    long offset = kv_head * a->block_size * a->D;
    ck_key_source source = {
        .keys = a->key_cache + offset,
        .values = a->value_cache + offset,
        .stride = a->D,
        .table = a->tables + s * a->table_stride,
        .block_size = a->block_size,
        .block_stride = a->K * a->block_size * a->D,
    };
    ck_attend(a->kernels, &rows, &source);
    for (long r = 0; r < count; r++) {
        long token = (row + r) / a->group, head = kv_head * a->group + (row + r) % a->group;
        ck_query_row_finish(&rows, r, a->out + ((start + token) * a->H + head) * a->D);
    }
}

void ck_paged_attention(long S, const int32_t *starts, const int32_t *lengths,
                        const int32_t *tables, long table_stride, long H, long K, long D,
                        long block_size, const float *q, const float *key_cache,
                        const float *value_cache, float scale, long window, float *out) {
    paged_attention a = {.S = S, .H = H, .K = K, .D = D, .group = H / K,
                         .block_size = block_size, .table_stride = table_stride,
                         .window = window, .scale = scale, .starts = starts, .lengths = lengths,
                         .tables = tables, .q = q, .key_cache = key_cache,
                         .value_cache = value_cache, .out = out,
                         .kernels = ck_block_kernels_in_use()};
    long *first = ck_scratch(4, (size_t)(S + 1) * sizeof(long));
    a.first_task = first;
    first[0] = 0;
    for (long s = 0; s < S; s++) first[s + 1] = first[s] + row_blocks(&a, s) * K;
    ck_parallel(first[S], attend_task, &a);
}

// MARK: Writing the cache

typedef struct {
    long T, K, D, block_size;
    const int32_t *slots;
    const float *k, *v;
    float *key_cache, *value_cache;
} cache_write;

static void write_tokens(void *context, long task) {
    const cache_write *w = context;
    ck_range tokens = ck_piece(task, ck_rows_per_task(2 * w->K * w->D), w->T);
    size_t bytes = (size_t)w->D * sizeof(float);
    for (long t = tokens.begin; t < tokens.end; t++) {
        long block = w->slots[t] / w->block_size, within = w->slots[t] % w->block_size;
        for (long head = 0; head < w->K; head++) {
            long to = ((block * w->K + head) * w->block_size + within) * w->D;
            long from = (t * w->K + head) * w->D;
            memcpy(w->key_cache + to, w->k + from, bytes);
            memcpy(w->value_cache + to, w->v + from, bytes);
        }
    }
}

void ck_paged_cache_write(long T, long K, long D, long block_size, const int32_t *slots,
                          const float *k, const float *v, float *key_cache, float *value_cache) {
    cache_write w = {.T = T, .K = K, .D = D, .block_size = block_size, .slots = slots, .k = k,
                     .v = v, .key_cache = key_cache, .value_cache = value_cache};
    ck_parallel(ck_divide_up(T, ck_rows_per_task(2 * K * D)), write_tokens, &w);
}
