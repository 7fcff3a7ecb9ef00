// The fused head. Tokens are taken in chunks and the vocabulary in tiles; one tile of logits
// [chunk, tile] lies in scratch at a time, computed by linear.c.
//
// Forward keeps the running state of each token's softmax (softmax_state.h, which the sampler
// shares). linear.c gives a row the same bits for any number of rows, and steps are taken in a
// fixed order, so a token's results do not depend on which tokens stand beside it.
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
#include "quantized_layout.h"
#include "softmax_state.h"
#include "vector_math.h"

enum {
    TOKENS = 1024,          // of a chunk
    TILE_ELEMENTS = 1 << 19,// logits in scratch: 2 MiB
    ROWS_A_TASK = 8,
    LOGITS_SLOT = 4,
    STATES_SLOT = 5,
};

typedef struct {
    ck_softmax_state softmax;
    float target; // its scaled logit
} token_state;

// One tile of logits: columns first..<first + width of the vocabulary for `tokens` tokens.
typedef struct {
    long tokens, width, first;
    float *logits; // [tokens, width]
    const int32_t *targets;
    float scale; // 1 / temperature
    token_state *states; // null in backward
    ck_softmax_update *update;
    // Backward only, and null in forward.
    const float *entropies, *lse, *dlog_probabilities, *dentropies;
    ck_isa isa; // of the thread that asks, which its workers follow
} logits_tile;

// Vocabulary columns that make a full tile for so many tokens.
static long tile_width(long tokens) {
    return ck_max(TILE_ELEMENTS / tokens / CK_SOFTMAX_STEP, 1) * CK_SOFTMAX_STEP;
}

// MARK: Forward

static void update_rows(const logits_tile *tile, long first, long end) {
    for (long t = first; t < end; t++) {
        const float *logits = tile->logits + t * tile->width;
        token_state *state = tile->states + t;
        tile->update(&state->softmax, tile->width, logits, tile->scale, nullptr);
        long target = tile->targets[t] - tile->first;
        if (target >= 0 && target < tile->width) state->target = logits[target] * tile->scale;
    }
}

// MARK: Backward

CK_INLINE void differentiate_rows(const logits_tile *tile, long first, long end) {
    for (long t = first; t < end; t++) {
        float *logits = tile->logits + t * tile->width;
        float lse = tile->lse[t], entropy = tile->entropies[t];
        float by_log_probability = tile->dlog_probabilities[t] * tile->scale;
        float by_entropy = tile->dentropies[t] * tile->scale;
        for (long v = 0; v < tile->width; v++) {
            float log_p = logits[v] * tile->scale - lse, p = ck_exp(log_p);
            float slope = by_log_probability + by_entropy * (log_p + entropy);
            logits[v] = p == 0 ? 0 : -p * slope;
        }
        long target = tile->targets[t] - tile->first;
        if (target >= 0 && target < tile->width) logits[target] += by_log_probability;
    }
}

// MARK: By instruction set

static void differentiate_portable(const logits_tile *tile, long first, long end) {
    differentiate_rows(tile, first, end);
}

#if CK_HAS_X86
CK_TARGET_AVX2 static void differentiate_avx2(const logits_tile *tile, long first, long end) {
    differentiate_rows(tile, first, end);
}

CK_TARGET_AVX512 static void differentiate_avx512(const logits_tile *tile, long first, long end) {
    differentiate_rows(tile, first, end);
}
#endif

static void pass_task(void *context, long task) {
    const logits_tile *tile = context;
    long first = task * ROWS_A_TASK, end = ck_min(first + ROWS_A_TASK, tile->tokens);
    if (tile->states != nullptr) {
        update_rows(tile, first, end);
        return;
    }
    switch (tile->isa) {
#if CK_HAS_X86
    case CK_ISA_AVX512: differentiate_avx512(tile, first, end); break;
    case CK_ISA_AVX2: differentiate_avx2(tile, first, end); break;
#endif
    default: differentiate_portable(tile, first, end); break;
    }
}

// MARK: Drivers

// The head's weight W [V, D], and one chunk's hidden states [tokens, D].
typedef struct {
    long V, D;
    const float *hidden;
    ck_weight W;
} head_chunk;

// Rows `first` and on of W, where `first` is a multiple of STEP.
static ck_weight weight_rows(const head_chunk *head, long first) {
    return ck_weight_from_row(head->W, first, head->D);
}

// Computes the tile of logits that begins at `first`, `most` wide or what is left, and takes the
// forward or the backward pass over it.
static void fill_tile(logits_tile *tile, const head_chunk *head, long first, long most) {
    tile->first = first;
    tile->width = ck_min(most, head->V - first);
    ck_linear_forward(tile->tokens, tile->width, head->D, head->hidden, head->D,
                      weight_rows(head, first), nullptr, CK_F32, 1, 0, tile->logits,
                      tile->width);
    tile->isa = ck_isa_in_use();
    tile->update = ck_softmax_update_in_use();
    ck_parallel(ck_divide_up(tile->tokens, ROWS_A_TASK), pass_task, tile);
}

static float *logits_scratch(long tokens, long width) {
    return ck_scratch(LOGITS_SLOT, sizeof(float) * (size_t)(tokens * width));
}

void ck_token_log_probability_forward(long T, long V, long D, const float *hidden, ck_weight W,
                                      const int32_t *targets, float temperature,
                                      float *log_probabilities, float *entropies,
                                      float *squared_probability_sums, float *lse) {
    for (long start = 0; start < T; start += TOKENS) {
        long tokens = ck_min(TOKENS, T - start), most = ck_min(tile_width(tokens), V);
        head_chunk head = {V, D, hidden + start * D, W};
        logits_tile tile = {
            .tokens = tokens,
            .logits = logits_scratch(tokens, most),
            .targets = targets + start,
            .states = ck_scratch(STATES_SLOT, sizeof(token_state) * (size_t)tokens),
            .scale = 1 / temperature};
        for (long t = 0; t < tokens; t++) {
            tile.states[t] = (token_state){ck_softmax_start(), NAN};
        }
        for (long v = 0; v < V; v += most) fill_tile(&tile, &head, v, most);
        for (long t = 0; t < tokens; t++) {
            ck_softmax_state state = tile.states[t].softmax;
            double log_sum = log(state.sum);
            lse[start + t] = (float)(state.maximum + log_sum);
            log_probabilities[start + t] =
                ck_softmax_log_probability(&state, tile.states[t].target);
            entropies[start + t] = (float)(log_sum - state.weighted / state.sum);
            squared_probability_sums[start + t] = (float)(state.squared / (state.sum * state.sum));
        }
    }
}

void ck_token_log_probability_backward(long T, long V, long D, const float *hidden, ck_weight W,
                                       const int32_t *targets, float temperature,
                                       const float *entropies, const float *lse,
                                       const float *dlog_probabilities, const float *dentropies,
                                       float *dhidden, float *dW) {
    for (long start = 0; start < T; start += TOKENS) {
        long tokens = ck_min(TOKENS, T - start), most = ck_min(tile_width(tokens), V);
        head_chunk head = {V, D, hidden + start * D, W};
        logits_tile tile = {
            .tokens = tokens,
            .logits = logits_scratch(tokens, most),
            .targets = targets + start,
            .entropies = entropies + start,
            .lse = lse + start,
            .dlog_probabilities = dlog_probabilities + start,
            .dentropies = dentropies + start,
            .scale = 1 / temperature};
        for (long v = 0; v < V; v += most) {
            fill_tile(&tile, &head, v, most);
            ck_linear_backward_input(tokens, tile.width, D, tile.logits, tile.width,
                                     weight_rows(&head, v), 1, v > 0, dhidden + start * D,
                                     D);
            if (dW == nullptr) continue;
            ck_linear_backward_weight(tokens, tile.width, D, tile.logits, tile.width, head.hidden,
                                      D, 1, dW + v * D);
        }
    }
}
