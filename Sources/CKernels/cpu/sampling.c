// Choosing the next token. A task is one row. From the whole distribution it is chosen in one pass
// over the vocabulary, the running softmax that the fused head of training takes as well
// (softmax_state.h), so that the token's log-probability has the bits that training computes.
// Where top-k or top-p cut the distribution, the passes are these:
//   1. the largest logit m; a NaN or +infinity ends it here
//   2. weights exp((logit - m) / temperature) and their mass
//   3. candidates, the logits above a limit that is lowered until they must contain all that is
//      kept; a quickselect on them finds the last one that is kept
//   4. the mass of the kept by blocks of ids, and a walk through the block that `uniform` falls in
// The vocabulary is never sorted. Masses are in double; the inverse of the cumulative distribution
// runs in the order of ids. A larger logit comes first and among equals the lower id.
#include "../include/sampling.h"

#include <math.h>

#include "softmax_state.h"
#include "task.h"
#include "vector_math.h"

typedef float v16 __attribute__((vector_size(64), aligned(4)));

enum { BLOCK = 1024, LANES = 16 };

typedef struct {
    long S, V, ldl;
    const float *logits;
    const ck_sampling *settings;
    int32_t *tokens;
    float *log_probabilities;
    ck_softmax_update *update;
} sampling;

typedef struct {
    float logit, weight;
    int32_t id;
} candidate;

// The last that is kept: all that come after it are dropped.
typedef struct {
    float logit;
    int32_t id;
} bound;

// MARK: Passes over the vocabulary

// The largest logit; NaN if any is NaN.
CK_INLINE float largest(long V, const float *logits) {
    v16 most = {0};
    most += -INFINITY;
    int not_numbers = 0;
    long i = 0;
    for (; i + LANES <= V; i += LANES) {
        most = __builtin_elementwise_max(most, *(const v16 *)(logits + i));
    }
    float m = __builtin_reduce_max(most);
    for (; i < V; i++) m = logits[i] > m ? logits[i] : m;
    for (i = 0; i < V; i++) not_numbers |= logits[i] != logits[i];
    return not_numbers ? NAN : m;
}

// weights[i] = exp((logits[i] - m) / temperature); returns their sum.
CK_INLINE double weigh(long V, const float *restrict logits, float m, float temperature,
                       float *restrict weights) {
#pragma clang fp reassociate(on)
    double sum = 0;
    for (long i = 0; i < V; i++) {
        float weight = ck_exp((logits[i] - m) / temperature);
        weights[i] = weight;
        sum += (double)weight;
    }
    return sum;
}

CK_INLINE double mass_above(long V, const float *restrict logits, const float *restrict weights,
                            float limit, long *count) {
#pragma clang fp reassociate(on)
    double sum = 0;
    int32_t above = 0;
    for (long i = 0; i < V; i++) {
        sum += logits[i] > limit ? (double)weights[i] : 0.0;
        above += logits[i] > limit;
    }
    *count = above;
    return sum;
}

CK_INLINE double kept_mass(long begin, long end, const float *restrict logits,
                           const float *restrict weights, bound last) {
#pragma clang fp reassociate(on)
    double sum = 0;
    for (int32_t i = (int32_t)begin; i < (int32_t)end; i++) {
        bool kept = logits[i] > last.logit || (logits[i] == last.logit && i <= last.id);
        sum += kept ? (double)weights[i] : 0.0;
    }
    return sum;
}

// MARK: Top-k and top-p

static bool cuts_by_count(const ck_sampling *settings, long V) {
    return settings->top_k > 0 && settings->top_k < V;
}

static bool comes_before(candidate a, candidate b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void swap(candidate *a, candidate *b) {
    candidate held = *a;
    *a = *b;
    *b = held;
}

// Parts [begin, end) into those before a pivot, the pivot, and the rest; returns where it lies.
static long part(candidate *c, long begin, long end) {
    long middle = begin + (end - begin) / 2, last = end - 1;
    if (comes_before(c[middle], c[begin])) swap(&c[middle], &c[begin]);
    if (comes_before(c[last], c[begin])) swap(&c[last], &c[begin]);
    if (comes_before(c[last], c[middle])) swap(&c[last], &c[middle]);
    swap(&c[middle], &c[last]); // the median is the pivot
    long place = begin;
    for (long i = begin; i < last; i++) {
        if (comes_before(c[i], c[last])) swap(&c[i], &c[place++]);
    }
    swap(&c[place], &c[last]);
    return place;
}

// Brings the fewest first candidates that number `count` or weigh `mass` to the front; returns how
// many those are (all, if they are too few or too light).
static long select_first(candidate *c, long n, long count, double mass) {
    long begin = 0, end = n; // [0, begin) is not enough; [0, end) is, or is all
    double before = 0;
    while (end - begin > 1) {
        long place = part(c, begin, end);
        double without = before;
        for (long i = begin; i < place; i++) without += (double)c[i].weight;
        double with = without + (double)c[place].weight;
        if (place >= count || without >= mass) {
            if (place == begin) return ck_max(place, 1);
            end = place;
        } else if (place + 1 >= count || with >= mass) {
            return place + 1;
        } else if (place + 1 == end) {
            return end;
        } else {
            begin = place + 1;
            before = with;
        }
    }
    return end;
}

// Copies the candidates out in the order of ids: at least the first `count`, or the first that
// weigh `mass`. Returns how many.
CK_INLINE long collect(long V, const float *logits, const float *weights, float m,
                       float temperature, long count, double mass, candidate *candidates) {
    float depth = 4, limit = m;
    for (;;) {
        long above = 0;
        limit = m - depth * temperature;
        // Weights below exp(-104) are 0.
        if (depth > 104 || limit == m) limit = -INFINITY;
        double weight = mass_above(V, logits, weights, limit, &above);
        if (above >= count || weight > mass || limit == -INFINITY) break;
        depth *= 1.5f;
    }
    long n = 0;
    for (long i = 0; i < V; i++) {
        candidates[n] = (candidate){logits[i], weights[i], (int32_t)i};
        n += logits[i] > limit;
    }
    return n;
}

CK_INLINE bound last_kept(long V, const float *logits, const float *weights, float m, double total,
                          const ck_sampling *settings) {
    bool by_count = cuts_by_count(settings, V), by_mass = settings->top_p < 1;
    candidate *candidates = ck_scratch(6, (size_t)(V + 1) * sizeof(candidate));
    long count = by_count ? settings->top_k : V + 1;
    double mass = by_count ? INFINITY : (double)settings->top_p * total;
    long n = collect(V, logits, weights, m, settings->temperature, count, mass, candidates);
    if (by_count) {
        n = select_first(candidates, n, count, INFINITY);
        double kept = 0;
        for (long i = 0; i < n; i++) kept += (double)candidates[i].weight;
        mass = (double)settings->top_p * kept;
    }
    if (by_mass) n = select_first(candidates, n, V + 1, mass);
    candidate last = candidates[0];
    for (long i = 1; i < n; i++) {
        if (comes_before(last, candidates[i])) last = candidates[i];
    }
    return (bound){last.logit, last.id};
}

// MARK: Choice

// The first kept token at which the cumulative mass passes uniform * mass. A token of weight 0
// cannot be the first to pass; where rounding leaves the end short, the last kept one is taken.
CK_INLINE int32_t pick(long V, const float *logits, const float *weights, bound last,
                       float uniform, double *mass) {
    double *blocks = ck_scratch(7, (size_t)ck_divide_up(V, BLOCK) * sizeof(double));
    long count = ck_divide_up(V, BLOCK), block = 0;
    *mass = 0;
    for (long b = 0; b < count; b++) {
        ck_range ids = ck_piece(b, BLOCK, V);
        blocks[b] = kept_mass(ids.begin, ids.end, logits, weights, last);
        *mass += blocks[b];
        if (blocks[b] > 0) block = b; // the last block with anything in it
    }
    double target = (double)uniform * *mass, passed = 0;
    for (long b = 0; b < block; b++) {
        if (passed + blocks[b] > target) {
            block = b;
            break;
        }
        passed += blocks[b];
    }
    ck_range ids = ck_piece(block, BLOCK, V);
    int32_t chosen = -1;
    for (int32_t i = (int32_t)ids.begin; i < (int32_t)ids.end; i++) {
        bool kept = logits[i] > last.logit || (logits[i] == last.logit && i <= last.id);
        if (!kept || weights[i] == 0) continue;
        chosen = i;
        passed += (double)weights[i];
        if (passed > target) break;
    }
    return chosen;
}

// From the kept of a distribution that is cut, all of a row that is.
CK_INLINE void sample_cut(const sampling *s, long row) {
    const float *logits = s->logits + row * s->ldl;
    const ck_sampling *settings = s->settings + row;
    float m = largest(s->V, logits), temperature = settings->temperature;
    if (!(m > -INFINITY && m < INFINITY)) return;
    float *weights = ck_scratch(5, (size_t)s->V * sizeof(float));
    double mass = weigh(s->V, logits, m, temperature, weights);
    bound last = last_kept(s->V, logits, weights, m, mass, settings);
    int32_t chosen = pick(s->V, logits, weights, last, settings->uniform, &mass);
    double above = ((double)logits[chosen] - (double)m) / (double)temperature;
    s->tokens[row] = chosen;
    s->log_probabilities[row] = (float)(above - log(mass));
}

// MARK: The whole distribution

static int32_t most_probable(long V, const float *logits) {
    long chosen = 0;
    for (long i = 1; i < V; i++) chosen = logits[i] > logits[chosen] ? i : chosen;
    return (int32_t)chosen;
}

// The first token of the step `index` at which what has `passed` before it exceeds the target; the
// last one of any weight where none does, and -1 where all weights are 0.
CK_INLINE int32_t pick_in_step(long V, const float *logits, float scale, float maximum, long index,
                               double passed, double target) {
    ck_range ids = ck_piece(index, CK_SOFTMAX_STEP, V);
    int32_t chosen = -1;
    for (int32_t i = (int32_t)ids.begin; i < (int32_t)ids.end; i++) {
        float scaled = logits[i] * scale;
        double weight = (double)ck_exp(scaled - maximum);
        if (weight == 0) continue;
        chosen = i;
        passed += weight;
        if (passed > target) break;
    }
    return chosen;
}

// As `pick`, by the masses of the softmax's steps.
static int32_t walk(long V, const float *logits, float scale, float uniform,
                    const ck_softmax_state *state, const ck_softmax_step *steps) {
    long count = ck_divide_up(V, CK_SOFTMAX_STEP);
    double target = (double)uniform * state->sum, passed = 0;
    int32_t chosen = -1;
    for (long i = 0; i < count && chosen < 0; i++) {
        double mass = steps[i].mass * exp((double)steps[i].maximum - state->maximum);
        if (passed + mass > target) {
            chosen = pick_in_step(V, logits, scale, state->maximum, i, passed, target);
        }
        passed += mass;
    }
    for (long i = count - 1; i >= 0 && chosen < 0; i--) {
        chosen = pick_in_step(V, logits, scale, state->maximum, i, 0, INFINITY);
    }
    return chosen;
}

static void sample_whole(const sampling *s, long row) {
    const float *logits = s->logits + row * s->ldl;
    const ck_sampling *settings = s->settings + row;
    bool greedy = settings->temperature == 0;
    float scale = greedy ? 1 : 1 / settings->temperature;
    long count = ck_divide_up(s->V, CK_SOFTMAX_STEP);
    ck_softmax_step *steps = ck_scratch(5, (size_t)count * sizeof(ck_softmax_step));
    ck_softmax_state state = ck_softmax_start();
    s->update(&state, s->V, logits, scale, steps);
    if (!(state.sum > 0 && state.maximum < INFINITY)) return;
    int32_t chosen = greedy ? most_probable(s->V, logits)
                            : walk(s->V, logits, scale, settings->uniform, &state, steps);
    s->tokens[row] = chosen;
    s->log_probabilities[row] = ck_softmax_log_probability(&state, logits[chosen] * scale);
}

CK_INLINE void sample_row(void *context, long row) {
    const sampling *s = context;
    const ck_sampling *settings = s->settings + row;
    s->tokens[row] = -1;
    s->log_probabilities[row] = NAN;
    bool cut = cuts_by_count(settings, s->V) || settings->top_p < 1;
    if (cut && settings->temperature != 0) {
        sample_cut(s, row);
    } else {
        sample_whole(s, row);
    }
}
CK_TASK(sample_row)

void ck_sample(long S, long V, const float *logits, long ldl, const ck_sampling *settings,
               int32_t *tokens, float *log_probabilities) {
    sampling s = {.S = S, .V = V, .ldl = ldl, .logits = logits, .settings = settings,
                  .tokens = tokens, .log_probabilities = log_probabilities,
                  .update = ck_softmax_update_in_use()};
    sample_row_run(S, &s);
}
