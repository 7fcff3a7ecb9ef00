// The fused head. Tokens are taken in chunks and the vocabulary in tiles; one tile of logits
// [chunk, tile] lies in scratch at a time, computed by linear.c.
//
// Forward keeps for each token the running maximum m of its logits, s = sum exp(l - m),
// w = sum exp(l - m) (l - m) and q = sum exp(l - m)^2 (online softmax, arXiv 1805.02867). At the
// end, with no difference of large numbers:
//   lse = m + log s        log-probability = (l_target - m) - log s        entropy = log s - w / s
//   sum of squared probabilities = q / s^2
// A step covers STEP logits of one row in a fixed order, and linear.c gives a row the same bits
// for any number of rows, so a token's results do not depend on which tokens stand beside it.
//
// Backward computes a tile again and turns it, in place, into the loss's derivative by the dot
// products, with p = exp(l - lse) = softmax and H the entropy:
//   dl_v = (dlog_probability (1[v = target] - p_v) - dentropy p_v (log p_v + H)) / temperature
// because d log p_target / d l_v = 1[v = target] - p_v and dH / d l_v = -p_v (log p_v + H).
// Then dhidden += dl W_tile and dW_tile += dl^T hidden.
#include "../include/token_log_probability.h"

#include <math.h>

#include "../include/linear.h"
#include "../include/parallel.h"
#include "isa.h"
#include "vector_math.h"

enum {
    TOKENS = 1024,          // of a chunk
    STEP = 512,             // logits of one running update
    TILE_ELEMENTS = 1 << 19,// logits in scratch: 2 MiB
    ROWS_A_TASK = 8,
    LOGITS_SLOT = 4,
    STATES_SLOT = 5,
};

typedef struct {
    double sum, weighted, squared;
    float maximum, target;
} running_state;

// One tile of logits: columns first..<first + width of the vocabulary for `tokens` tokens.
typedef struct {
    long tokens, width, first;
    float *logits; // [tokens, width]
    const int32_t *targets;
    running_state *states; // null in backward
    float temperature;
    // Backward only, and null in forward.
    const float *entropies, *lse, *dlog_probabilities, *dentropies;
    ck_isa isa; // of the thread that asks, which its workers follow
} logits_tile;

// Vocabulary columns that make a full tile for so many tokens.
static long tile_width(long tokens) {
    return ck_max(TILE_ELEMENTS / tokens / STEP, 1) * STEP;
}

// MARK: Forward

typedef float sixteen __attribute__((vector_size(64)));
typedef float sixteen_memory __attribute__((vector_size(64), aligned(4), may_alias));

// A NaN is passed over: it comes to light in the sums.
CK_INLINE float maximum_of(long n, const float *values) {
    sixteen lanes = (sixteen){} - INFINITY;
    long i = 0;
    for (; i + 16 <= n; i += 16) {
        sixteen next = *(const sixteen_memory *)(values + i);
        lanes = __builtin_elementwise_max(lanes, next);
    }
    float maximum = -INFINITY;
    for (; i < n; i++) maximum = values[i] > maximum ? values[i] : maximum;
    for (int lane = 0; lane < 16; lane++) maximum = lanes[lane] > maximum ? lanes[lane] : maximum;
    return maximum;
}

CK_INLINE void update_state(running_state *state, long n, const float *logits) {
#pragma clang fp reassociate(on)
    float maximum = maximum_of(n, logits);
    if (maximum < state->maximum) maximum = state->maximum;
    if (state->sum > 0 && maximum > state->maximum) {
        double shift = (double)state->maximum - maximum, factor = exp(shift);
        state->weighted = factor * (state->weighted + shift * state->sum);
        state->sum *= factor;
        state->squared *= factor * factor;
    }
    float sum = 0, weighted = 0, squared = 0;
    for (long i = 0; i < n; i++) {
        float below = logits[i] - maximum, weight = ck_exp(below);
        sum += weight;
        squared += weight * weight;
        // exp(-inf) * -inf is 0 here: such a token has no part in the entropy.
        weighted += weight == 0 ? 0 : weight * below;
    }
    state->maximum = maximum;
    state->sum += sum;
    state->weighted += weighted;
    state->squared += squared;
}

CK_INLINE void update_rows(const logits_tile *tile, long first, long end) {
    for (long t = first; t < end; t++) {
        const float *logits = tile->logits + t * tile->width;
        running_state *state = tile->states + t;
        for (long v = 0; v < tile->width; v += STEP) {
            update_state(state, ck_min(STEP, tile->width - v), logits + v);
        }
        long target = tile->targets[t] - tile->first;
        if (target >= 0 && target < tile->width) state->target = logits[target];
    }
}

// MARK: Backward

CK_INLINE void differentiate_rows(const logits_tile *tile, long first, long end) {
    for (long t = first; t < end; t++) {
        float *logits = tile->logits + t * tile->width;
        float lse = tile->lse[t], entropy = tile->entropies[t];
        float by_log_probability = tile->dlog_probabilities[t] / tile->temperature;
        float by_entropy = tile->dentropies[t] / tile->temperature;
        for (long v = 0; v < tile->width; v++) {
            float log_p = logits[v] - lse, p = ck_exp(log_p);
            float slope = by_log_probability + by_entropy * (log_p + entropy);
            logits[v] = p == 0 ? 0 : -p * slope;
        }
        long target = tile->targets[t] - tile->first;
        if (target >= 0 && target < tile->width) logits[target] += by_log_probability;
    }
}

// MARK: By instruction set

CK_INLINE void pass_over_rows(const logits_tile *tile, long first, long end) {
    if (tile->lse == nullptr) update_rows(tile, first, end);
    else differentiate_rows(tile, first, end);
}

static void pass_portable(const logits_tile *tile, long first, long end) {
    pass_over_rows(tile, first, end);
}

#if CK_HAS_X86
CK_TARGET_AVX2 static void pass_avx2(const logits_tile *tile, long first, long end) {
    pass_over_rows(tile, first, end);
}

CK_TARGET_AVX512 static void pass_avx512(const logits_tile *tile, long first, long end) {
    pass_over_rows(tile, first, end);
}
#endif

static void pass_task(void *context, long task) {
    const logits_tile *tile = context;
    long first = task * ROWS_A_TASK, end = ck_min(first + ROWS_A_TASK, tile->tokens);
    switch (tile->isa) {
#if CK_HAS_X86
    case CK_ISA_AVX512: pass_avx512(tile, first, end); break;
    case CK_ISA_AVX2: pass_avx2(tile, first, end); break;
#endif
    default: pass_portable(tile, first, end); break;
    }
}

// MARK: Drivers

// The head's weight W [V, D], and one chunk's hidden states [tokens, D].
typedef struct {
    long V, D;
    const float *hidden;
    const char *W;
    ck_dtype dtype;
} head_chunk;

// Columns `first` and on of W.
static const char *weight_rows(const head_chunk *head, long first) {
    return head->W + first * head->D * (long)ck_dtype_size(head->dtype);
}

// Computes the tile of logits that begins at `first`, `most` wide or what is left, and takes the
// forward or the backward pass over it.
static void fill_tile(logits_tile *tile, const head_chunk *head, long first, long most) {
    tile->first = first;
    tile->width = ck_min(most, head->V - first);
    ck_linear_forward(tile->tokens, tile->width, head->D, head->hidden, head->D,
                      weight_rows(head, first), head->dtype, nullptr, CK_F32,
                      1 / tile->temperature, 0, tile->logits, tile->width);
    tile->isa = ck_isa_in_use();
    ck_parallel(ck_divide_up(tile->tokens, ROWS_A_TASK), pass_task, tile);
}

static float *logits_scratch(long tokens, long width) {
    return ck_scratch(LOGITS_SLOT, sizeof(float) * (size_t)(tokens * width));
}

void ck_token_log_probability_forward(long T, long V, long D, const float *hidden, const void *W,
                                      ck_dtype dtype, const int32_t *targets, float temperature,
                                      float *log_probabilities, float *entropies,
                                      float *squared_probability_sums, float *lse) {
    for (long start = 0; start < T; start += TOKENS) {
        long tokens = ck_min(TOKENS, T - start), most = ck_min(tile_width(tokens), V);
        head_chunk head = {V, D, hidden + start * D, W, dtype};
        logits_tile tile = {
            .tokens = tokens,
            .logits = logits_scratch(tokens, most),
            .targets = targets + start,
            .states = ck_scratch(STATES_SLOT, sizeof(running_state) * (size_t)tokens),
            .temperature = temperature};
        for (long t = 0; t < tokens; t++) {
            tile.states[t] = (running_state){.maximum = -INFINITY, .target = NAN};
        }
        for (long v = 0; v < V; v += most) fill_tile(&tile, &head, v, most);
        for (long t = 0; t < tokens; t++) {
            running_state state = tile.states[t];
            double log_sum = log(state.sum);
            lse[start + t] = (float)(state.maximum + log_sum);
            log_probabilities[start + t] = (float)((double)state.target - state.maximum - log_sum);
            entropies[start + t] = (float)(log_sum - state.weighted / state.sum);
            squared_probability_sums[start + t] = (float)(state.squared / (state.sum * state.sum));
        }
    }
}

void ck_token_log_probability_backward(long T, long V, long D, const float *hidden, const void *W,
                                       ck_dtype dtype, const int32_t *targets, float temperature,
                                       const float *entropies, const float *lse,
                                       const float *dlog_probabilities, const float *dentropies,
                                       float *dhidden, float *dW) {
    for (long start = 0; start < T; start += TOKENS) {
        long tokens = ck_min(TOKENS, T - start), most = ck_min(tile_width(tokens), V);
        head_chunk head = {V, D, hidden + start * D, W, dtype};
        logits_tile tile = {
            .tokens = tokens,
            .logits = logits_scratch(tokens, most),
            .targets = targets + start,
            .entropies = entropies + start,
            .lse = lse + start,
            .dlog_probabilities = dlog_probabilities + start,
            .dentropies = dentropies + start,
            .temperature = temperature};
        for (long v = 0; v < V; v += most) {
            fill_tile(&tile, &head, v, most);
            ck_linear_backward_input(tokens, tile.width, D, tile.logits, tile.width,
                                     weight_rows(&head, v), dtype, 1, v > 0, dhidden + start * D,
                                     D);
            if (dW == nullptr) continue;
            ck_linear_backward_weight(tokens, tile.width, D, tile.logits, tile.width, head.hidden,
                                      D, 1, dW + v * D);
        }
    }
}
