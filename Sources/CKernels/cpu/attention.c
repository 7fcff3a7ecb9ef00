// Attention over packed sequences, forward and backward, by blocks of query rows and keys
// (attention_block.h has the arithmetic and the order of every sum).
//
// Forward: a task is one block of query rows of one kv head of one sequence.
//
// Backward: a task is a chunk of query tokens of one kv head of one sequence. It goes over its
// blocks of rows, and for each over the keys they see, once: scores and their gradient are
// computed anew, dq is finished on the spot, and dk and dv are summed in a buffer of the chunk's
// own over the keys the chunk sees, those of a prefix included. A second pass adds the chunks'
// buffers in order: first the sequence's own, then those of the sequences that go on from it.
// Chunks depend on the lengths alone, so the result is the same for any number of threads.
// The buffers of all chunks would grow with the kv heads, so one round takes as many (kv head,
// sequence with those that go on from it) as fit in the workspace, and the next uses them again.
//
// Places of tokens, rows and keys are counted from a sequence's first token, prefix included.
#include "../include/attention.h"

#include <stdlib.h>
#include <string.h>

#include "../include/parallel.h"
#include "attention_block.h"
#include "isa.h"

enum { SMALLEST_CHUNK = 256, MOST_CHUNKS = 8, ROUND_FLOATS = 1 << 21 };

// A task of the backward pass, and its multiply-adds but for a factor that all have.
typedef struct {
    long task, work;
} task_place;

typedef struct {
    long S, H, K, D, group, width, window;
    float scale;
    const ck_packed_sequence *sequences;
    const float *q, *k, *v, *out, *dout, *lse;
    float *result, *lse_result, *dq, *dk, *dv;
    const ck_block_kernels *kernels;
    const long *first_task; // [S + 1]
    long chunks;            // backward: of all sequences, for one kv head
    long *first_float;      // [tasks], of each chunk's buffer
    task_place *order;      // [tasks], a round's from the longest to the shortest
    float *partials;        // the round's buffers, dk [keys, width] before dv
    long most_floats;       // of them
} attention;

// Where row 0 of a sequence lies, or would lie if its prefix came directly before its own rows.
static long origin_of(const attention *a, long s) {
    return a->sequences[s].start - a->sequences[s].prefix_count;
}

// Tokens of a sequence, prefix included.
static long length_of(const attention *a, long s) {
    return a->sequences[s].prefix_count + a->sequences[s].count;
}

static ck_key_source keys_of(const attention *a, long s, long kv_head) {
    long origin = origin_of(a, s), offset = (origin * a->K + kv_head) * a->D;
    return (ck_key_source){.keys = a->k + offset,
                           .values = a->v + offset,
                           .stride = a->K * a->D,
                           .prefix = a->sequences[s].prefix_count,
                           .gap = (origin - a->sequences[s].prefix_start) * a->K * a->D};
}

// MARK: Query rows

// A row of the queries: rows of a kv head go token by token, and head by head within.
typedef struct {
    long token, head, first_head, end_head;
} row_place;

static row_place place_of(const attention *a, long s, long kv_head, long row) {
    long first = kv_head * a->group;
    return (row_place){origin_of(a, s) + row / a->group, first + row % a->group, first,
                       first + a->group};
}

CK_INLINE void advance(row_place *place) {
    if (++place->head < place->end_head) return;
    place->head = place->first_head;
    place->token++;
}

CK_INLINE long place_offset(const attention *a, row_place place) {
    return (place.token * a->H + place.head) * a->D;
}

static void load_queries(const attention *a, const ck_query_rows *rows, long s, long kv_head,
                         long row) {
    row_place place = place_of(a, s, kv_head, row);
    long origin = origin_of(a, s);
    for (long r = 0; r < rows->rows; r++, advance(&place)) {
        const float *restrict q = a->q + place_offset(a, place);
        float *restrict scaled = rows->q + r * a->D;
        for (long d = 0; d < a->D; d++) scaled[d] = q[d] * a->scale;
        rows->positions[r] = (int32_t)(place.token - origin);
    }
}

// MARK: Forward

static long row_blocks(const attention *a, long s) {
    return ck_divide_up(a->sequences[s].count * a->group, CK_ROW_BLOCK);
}

static void forward_task(void *context, long task) {
    const attention *a = context;
    long s = ck_sequence_of_task(a->S, a->first_task, task), within = task - a->first_task[s];
    long kv_head = within % a->K, block = row_blocks(a, s) - 1 - within / a->K;
    // The last block sees the most keys and comes first, so that the threads end together.
    long row = a->sequences[s].prefix_count * a->group + block * CK_ROW_BLOCK;
    long count = ck_min(CK_ROW_BLOCK, length_of(a, s) * a->group - row);
    ck_query_rows rows = ck_query_rows_make(count, a->D, a->window);
    load_queries(a, &rows, s, kv_head, row);
    ck_key_source source = keys_of(a, s, kv_head);
    ck_attend(a->kernels, &rows, &source);
    row_place place = place_of(a, s, kv_head, row);
    for (long r = 0; r < count; r++, advance(&place)) {
        float lse = ck_query_row_finish(&rows, r, a->result + place_offset(a, place));
        if (a->lse_result != nullptr) a->lse_result[place.token * a->H + place.head] = lse;
    }
}

void ck_attention_forward(long S, const ck_packed_sequence *sequences, long H, long K, long D,
                          const float *q, const float *k, const float *v, float scale, long window,
                          float *out, float *lse) {
    attention a = {.S = S, .H = H, .K = K, .D = D, .group = H / K, .window = window,
                   .scale = scale, .sequences = sequences, .q = q, .k = k, .v = v, .result = out,
                   .lse_result = lse, .kernels = ck_block_kernels_in_use()};
    long *first = ck_scratch(4, (size_t)(S + 1) * sizeof(long));
    a.first_task = first;
    first[0] = 0;
    for (long s = 0; s < S; s++) first[s + 1] = first[s] + row_blocks(&a, s) * K;
    ck_parallel(first[S], forward_task, &a);
}

// MARK: Backward

// How many query tokens of a sequence make a chunk: a whole number of key blocks.
static long chunk_tokens(long tokens) {
    long size = ck_max(SMALLEST_CHUNK, ck_divide_up(tokens, MOST_CHUNKS));
    return ck_round_up(size, CK_KEY_BLOCK);
}

// A chunk of query tokens and the keys it sees, in tokens of its sequence.
typedef struct {
    long s, kv_head, index, begin, end, first_key;
} chunk;

static chunk chunk_at(const attention *a, long s, long kv_head, long index) {
    long size = chunk_tokens(a->sequences[s].count);
    long begin = a->sequences[s].prefix_count + index * size;
    return (chunk){s, kv_head, index, begin, ck_min(begin + size, length_of(a, s)),
                   ck_first_key(begin, a->window)};
}

static long chunk_count(const attention *a, long s) {
    return ck_divide_up(a->sequences[s].count, chunk_tokens(a->sequences[s].count));
}

// Chunks are numbered by kv head, then by sequence, then from the last chunk to the first.
static long task_of(const attention *a, long s, long kv_head, long index) {
    return kv_head * a->chunks + a->first_task[s] + chunk_count(a, s) - 1 - index;
}

static chunk chunk_of_task(const attention *a, long task) {
    long kv_head = task / a->chunks, within = task % a->chunks;
    long s = ck_sequence_of_task(a->S, a->first_task, within);
    return chunk_at(a, s, kv_head, chunk_count(a, s) - 1 - (within - a->first_task[s]));
}

static long chunk_floats(const attention *a, const chunk *c) {
    return 2 * (c->end - c->first_key) * a->width;
}

// What one block of query rows needs besides ck_query_rows.
typedef struct {
    float *slopes;         // [rows, CK_KEY_BLOCK]
    float *dout;           // [rows, width]
    float *q;              // [rows, width], scaled
    float *values;         // [D, CK_KEY_BLOCK], transposed
    float *lse, *delta;    // [rows]
} gradient_rows;

static gradient_rows gradient_rows_make(long rows, long D, long width) {
    long sizes[] = {rows * CK_KEY_BLOCK, rows * width, rows * width, D * CK_KEY_BLOCK, rows, rows};
    float *parts[sizeof sizes / sizeof *sizes];
    long total = 0, count = sizeof sizes / sizeof *sizes;
    for (long i = 0; i < count; i++) total += ck_round_up(sizes[i], CK_LANES);
    float *next = ck_scratch(6, (size_t)total * sizeof(float));
    for (long i = 0; i < count; i++) {
        parts[i] = next;
        next += ck_round_up(sizes[i], CK_LANES);
    }
    return (gradient_rows){.slopes = parts[0], .dout = parts[1], .q = parts[2],
                           .values = parts[3], .lse = parts[4], .delta = parts[5]};
}

CK_INLINE void copy_padded(const float *restrict source, long D, long width,
                           float *restrict destination) {
    memcpy(destination, source, (size_t)D * sizeof(float));
    for (long d = D; d < width; d++) destination[d] = 0;
}

static void load_gradients(const attention *a, const ck_query_rows *rows, const gradient_rows *g,
                           const chunk *c, long row) {
#pragma clang fp reassociate(on) contract(fast)
    row_place place = place_of(a, c->s, c->kv_head, row);
    for (long r = 0; r < rows->rows; r++, advance(&place)) {
        const float *restrict dout = a->dout + place_offset(a, place);
        const float *restrict out = a->out + place_offset(a, place);
        float delta = 0;
        for (long d = 0; d < a->D; d++) delta += dout[d] * out[d];
        g->delta[r] = delta;
        g->lse[r] = a->lse[place.token * a->H + place.head];
        copy_padded(dout, a->D, a->width, g->dout + r * a->width);
        copy_padded(rows->q + r * a->D, a->D, a->width, g->q + r * a->width);
    }
}

// One block of query rows against one block of `count` keys.
static void backward_block(const attention *a, const ck_query_rows *rows, const gradient_rows *g,
                           const ck_key_source *source, long first_key, long count, float *dk,
                           float *dv) {
    const ck_block_kernels *kernels = a->kernels;
    ck_row_range seeing = ck_rows_seeing(rows->rows, rows->positions, a->window, first_key);
    long active = seeing.end - seeing.begin, width = a->width;
    if (active == 0) return;
    ck_key_block block = ck_key_block_at(source, first_key, count);
    ck_transpose_block(kernels, &block, source->keys, a->D, rows->keys);
    ck_transpose_block(kernels, &block, source->values, a->D, g->values);
    // scores = q . k and slopes = dout . v, then probabilities and the scores' gradient
    float *scores = rows->scores + seeing.begin * CK_KEY_BLOCK;
    float *slopes = g->slopes + seeing.begin * CK_KEY_BLOCK;
    const float *q = g->q + seeing.begin * width, *dout = g->dout + seeing.begin * width;
    ck_product dots = {.rows = active, .columns = CK_KEY_BLOCK, .depth = a->D, .a = q,
                       .a_row = width, .a_column = 1, .b = rows->keys, .ldb = CK_KEY_BLOCK,
                       .c = scores, .ldc = CK_KEY_BLOCK};
    kernels->multiply(&dots);
    dots.a = dout, dots.b = g->values, dots.c = slopes;
    kernels->multiply(&dots);
    ck_score_gradient gradient = {seeing.begin, seeing.end, first_key, a->window,
                                  rows->positions, g->lse, g->delta, rows->scores, g->slopes};
    kernels->gradient(&gradient);
    // dv += p^T . dout and dk += ds^T . q
    ck_product sums = {.rows = count, .columns = width, .depth = active, .a = scores, .a_row = 1,
                       .a_column = CK_KEY_BLOCK, .b = dout, .ldb = width, .c = dv, .ldc = width,
                       .accumulate = 1};
    kernels->multiply(&sums);
    sums.a = slopes, sums.b = q, sums.c = dk;
    kernels->multiply(&sums);
    // dq += ds . k
    ck_add_weighted_block(kernels, rows, seeing, g->slopes, &block, source->keys);
}

static void backward_task(void *context, long place) {
    const attention *a = context;
    long task = a->order[place].task;
    chunk c = chunk_of_task(a, task);
    ck_key_source source = keys_of(a, c.s, c.kv_head);
    long keys = c.end - c.first_key, width = a->width;
    float *dk = a->partials + a->first_float[task], *dv = dk + keys * width;
    memset(dk, 0, (size_t)(2 * keys * width) * sizeof(float));
    long last_row = c.end * a->group;
    for (long row = c.begin * a->group; row < last_row; row += CK_ROW_BLOCK) {
        long count = ck_min(CK_ROW_BLOCK, last_row - row);
        ck_query_rows rows = ck_query_rows_make(count, a->D, a->window);
        gradient_rows g = gradient_rows_make(count, a->D, width);
        load_queries(a, &rows, c.s, c.kv_head, row);
        load_gradients(a, &rows, &g, &c, row);
        memset(rows.out, 0, (size_t)(count * width) * sizeof(float));
        long seen = rows.positions[count - 1] + 1;
        for (long key = ck_first_key(rows.positions[0], a->window); key < seen;
             key += CK_KEY_BLOCK) {
            long offset = (key - c.first_key) * width;
            backward_block(a, &rows, &g, &source, key, ck_min(CK_KEY_BLOCK, seen - key),
                           dk + offset, dv + offset);
        }
        row_place place = place_of(a, c.s, c.kv_head, row);
        for (long r = 0; r < count; r++, advance(&place)) {
            const float *restrict sum = rows.out + r * width;
            float *restrict dq = a->dq + place_offset(a, place);
            for (long d = 0; d < a->D; d++) dq[d] = sum[d] * a->scale;
        }
    }
}

// Adds what the chunk `other`, of the same sequence or of one that goes on from it, has summed for
// the keys of the chunk `own` up to `end`.
static void add_partial(const attention *a, const chunk *own, const chunk *other, long end) {
    long task = task_of(a, other->s, other->kv_head, other->index), width = a->width;
    const float *dk = a->partials + a->first_float[task];
    const float *dv = dk + (other->end - other->first_key) * width;
    for (long key = ck_max(own->begin, other->first_key); key < end; key++) {
        long offset = ((origin_of(a, own->s) + key) * a->K + own->kv_head) * a->D;
        long from = (key - other->first_key) * width;
        float *restrict key_sum = a->dk + offset, *restrict value_sum = a->dv + offset;
        for (long d = 0; d < a->D; d++) key_sum[d] += dk[from + d];
        for (long d = 0; d < a->D; d++) value_sum[d] += dv[from + d];
    }
}

// Adds, for the keys of one chunk, what each chunk of queries that sees them has summed.
static void reduce_task(void *context, long place) {
    const attention *a = context;
    chunk own = chunk_of_task(a, a->order[place].task);
    for (long key = own.begin; key < own.end; key++) {
        long offset = ((origin_of(a, own.s) + key) * a->K + own.kv_head) * a->D;
        memset(a->dk + offset, 0, (size_t)a->D * sizeof(float));
        memset(a->dv + offset, 0, (size_t)a->D * sizeof(float));
    }
    for (long index = own.index; index < chunk_count(a, own.s); index++) {
        chunk other = chunk_at(a, own.s, own.kv_head, index);
        add_partial(a, &own, &other, own.end);
    }
    if (a->sequences[own.s].prefix_count > 0) return;
    for (long s = own.s + 1; s < a->S && a->sequences[s].prefix_count > 0; s++) {
        for (long index = 0; index < chunk_count(a, s); index++) {
            chunk other = chunk_at(a, s, own.kv_head, index);
            add_partial(a, &own, &other, ck_min(own.end, a->sequences[s].prefix_count));
        }
    }
}

// MARK: Rounds

// Tasks [begin, end), whose buffers together take `floats`.
typedef struct {
    long begin, end, floats;
} task_round;

// The round from the task `begin` on; gives each of its tasks a place in the buffers.
static task_round round_from(const attention *a, long begin) {
    task_round round = {begin, begin, 0};
    long tasks = a->K * a->chunks;
    while (round.end < tasks) {
        long head_start = round.end / a->chunks * a->chunks;
        long s = ck_sequence_of_task(a->S, a->first_task, round.end - head_start) + 1;
        while (s < a->S && a->sequences[s].prefix_count > 0) s++;
        long unit_end = head_start + a->first_task[s], floats = round.floats;
        for (long task = round.end; task < unit_end; task++) {
            chunk c = chunk_of_task(a, task);
            a->first_float[task] = floats;
            floats += chunk_floats(a, &c);
        }
        if (round.end > begin && floats > a->most_floats) return round;
        round.end = unit_end;
        round.floats = floats;
    }
    return round;
}

static long work_of(const attention *a, long task) {
    chunk c = chunk_of_task(a, task);
    return (c.end - c.begin) * (c.begin + c.end - 2 * c.first_key);
}

static int longer_first(const void *left, const void *right) {
    const task_place *a = left, *b = right;
    if (a->work != b->work) return a->work < b->work ? 1 : -1;
    return a->task < b->task ? -1 : 1;
}

// Orders the round's tasks by their work, the longest first, so that the threads end together.
static void order_tasks(const attention *a, const task_round *round) {
    long count = round->end - round->begin;
    for (long i = 0; i < count; i++) {
        a->order[i] = (task_place){round->begin + i, work_of(a, round->begin + i)};
    }
    qsort(a->order, (size_t)count, sizeof(task_place), longer_first);
}

// Numbers the chunks of a call whose sequences and sizes are set.
static void plan_backward(attention *a) {
    long chunks = 0;
    for (long s = 0; s < a->S; s++) chunks += chunk_count(a, s);
    a->chunks = chunks;
    long *first = ck_scratch(4, (size_t)(a->S + 1 + 3 * chunks * a->K) * sizeof(long));
    a->first_task = first, a->first_float = first + a->S + 1;
    a->order = (task_place *)(a->first_float + chunks * a->K);
    first[0] = 0;
    for (long s = 0; s < a->S; s++) first[s + 1] = first[s] + chunk_count(a, s);
}

long ck_attention_backward_floats(long S, const ck_packed_sequence *sequences, long K, long D,
                                  long window) {
    attention a = {.S = S, .K = K, .D = D, .width = ck_round_up(D, CK_LANES), .window = window,
                   .sequences = sequences, .most_floats = ck_threads() * (long)ROUND_FLOATS};
    plan_backward(&a);
    long most = 0;
    for (long task = 0; task < K * a.chunks;) {
        task_round round = round_from(&a, task);
        most = ck_max(most, round.floats);
        task = round.end;
    }
    return most;
}

void ck_attention_backward(long S, const ck_packed_sequence *sequences, long H, long K, long D,
                           const float *dout, const float *q, const float *k, const float *v,
                           const float *out, const float *lse, float scale, long window,
                           float *workspace, long workspace_floats, float *dq, float *dk,
                           float *dv) {
    attention a = {.S = S, .H = H, .K = K, .D = D, .group = H / K,
                   .width = ck_round_up(D, CK_LANES), .window = window, .scale = scale,
                   .sequences = sequences, .q = q, .k = k, .v = v, .out = out, .dout = dout,
                   .lse = lse, .dq = dq, .dk = dk, .dv = dv, .partials = workspace,
                   .most_floats = workspace_floats, .kernels = ck_block_kernels_in_use()};
    plan_backward(&a);
    for (long task = 0; task < K * a.chunks;) {
        task_round round = round_from(&a, task);
        order_tasks(&a, &round);
        ck_parallel(round.end - round.begin, backward_task, &a);
        ck_parallel(round.end - round.begin, reduce_task, &a);
        task = round.end;
    }
}
