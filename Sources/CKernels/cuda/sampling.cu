// Choosing the next token, one block a row of logits. What is chosen is defined in
// include/sampling.h and cpu/sampling.c. The vocabulary is never sorted, and no sum depends on the
// order in which threads come to it:
//   1. each warp takes a stretch of the ids: its largest logit and its mass exp((logit - m) / T)
//   2. from the whole distribution: the stretch that `uniform` falls in, and the token within it
// Where top-k or top-p cut the distribution, in place of 2:
//   3. a limit above which all that is kept lies: for top-k the k-th largest of the threads'
//      largest logits, for top-p a depth below the largest that is lowered until it has the mass
//   4. the logits above the limit, in the order of ids, go to shared memory; where they are too
//      many for it, the row itself takes their place
//   5. the last one that is kept is found bit by bit of its logit, then of its id among equals
//   6. the token among the kept that `uniform` falls on
// A larger logit comes first and among equals the lower id; the inverse of the cumulative
// distribution runs in the order of ids.
#include "prelude.cuh"

#define INFINITE __uint_as_float(0x7f800000u)

enum { MOST_THREADS = 1024, CANDIDATES = 4096 };

// What the threads of the block share.
struct board {
    float logits[CANDIDATES]; // first the threads' largest logits, then the candidates'
    int ids[CANDIDATES];
    float piece_masses[MOST_THREADS];
    float warp_masses[WARP], warp_most[WARP], scratch[WARP];
    int warp_counts[WARP];
    int chosen_warp;
    double passed, target;
};

// A row of logits with its largest logit m. Weights are exp((logit - m) * scale), taken as powers
// of two; such as are no normal numbers are 0.
struct row_logits {
    const float *logits;
    long V;
    float scale, scale_of_two, most;
    bool packs;

    __device__ __forceinline__ float weight(float logit) const {
        return exp2_approximate((logit - most) * scale_of_two);
    }
};

// Logits with their ids: `ids[i]`, or `first + i` where there are none. Ids ascend.
struct list {
    const float *logits;
    const int *ids;
    long first, n;

    __device__ __forceinline__ int id(long i) const {
        return ids == nullptr ? (int)(first + i) : ids[i];
    }
};

// The ids that a warp takes of the vocabulary.
struct stretch {
    long begin, end;
};
__device__ __forceinline__ stretch stretch_of(int warp, long V) {
    int warps = blockDim.x / WARP;
    long span = ((V + warps - 1) / warps + 3) / 4 * 4, begin = min((long)warp * span, V);
    return {begin, min(begin + span, V)};
}

// A number that is larger for a larger logit and the same for 0 and -0; never 0.
__device__ __forceinline__ u32 key_of(float logit) {
    u32 bits = __float_as_uint(logit + 0.0f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// Keeps all logits above a key, and of those equal to it the ids below `id_end`.
struct cut {
    u32 key;
    int id_end;

    __device__ __forceinline__ bool keeps(u32 other, int id) const {
        return other > key || (other == key && id < id_end);
    }
};

// MARK: The row's softmax

// Adds N logits to a thread's largest one and its mass; `scale` is of powers of two. A NaN or
// +infinity makes the mass a NaN.
template <int N>
__device__ __forceinline__ void add_logits(const float *logits, float scale, float &most,
                                           float &mass) {
    float values[N];
    load(logits, values);
    float largest = values[0];
#pragma unroll
    for (int i = 1; i < N; i++) largest = fmaxf(largest, values[i]);
    if (largest > most) {
        mass = mass > 0 ? mass * exp2_approximate((most - largest) * scale) : mass;
        most = largest;
    }
    float origin = most == -INFINITE ? 0 : most;
#pragma unroll
    for (int i = 0; i < N; i++) mass += exp2_approximate((values[i] - origin) * scale);
}

// Fills the board's warp_masses and warp_most and row.most; returns the mass of all.
__device__ __forceinline__ double weigh_row(row_logits &row, board &b) {
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
    stretch s = stretch_of(warp, row.V);
    float most = -INFINITE, mass = 0;
    if (row.packs) {
#pragma unroll 2
        for (long i = s.begin + lane * 4; i < s.end; i += WARP * 4) {
            add_logits<4>(row.logits + i, row.scale_of_two, most, mass);
        }
    } else {
        for (long i = s.begin + lane; i < s.end; i += WARP) {
            add_logits<1>(row.logits + i, row.scale_of_two, most, mass);
        }
    }
    b.logits[threadIdx.x] = most;
    float warp_most = warp_max(most);
    row.most = block_max(most, b.scratch);
    if (mass > 0) mass *= row.weight(most);
    mass = warp_sum(mass);
    if (lane == 0) {
        b.warp_masses[warp] = mass;
        b.warp_most[warp] = warp_most;
    }
    __syncthreads();
    double total = 0;
    for (int w = 0; w < warps; w++) total += b.warp_masses[w];
    return total;
}

// MARK: Drawing

// The first of n masses at which what has `passed` goes beyond the target, or the last with any
// mass. `passed` becomes what lies before it.
__device__ __forceinline__ int fall(const float *masses, int n, double &passed, double target) {
    int last = 0;
    double before = passed, sum = passed;
    for (int i = 0; i < n; i++) {
        if (masses[i] == 0) continue;
        last = i;
        before = sum;
        sum += masses[i];
        if (sum > target) break;
    }
    passed = before;
    return last;
}

// Each thread weighs a piece of the list: the board's piece_masses and warp_masses.
__device__ __forceinline__ void weigh_pieces(const row_logits &row, const list &all, cut kept,
                                             board &b) {
    long piece = (all.n + blockDim.x - 1) / blockDim.x;
    long begin = min(threadIdx.x * piece, all.n), end = min(begin + piece, all.n);
    float mass = 0;
    for (long i = begin; i < end; i++) {
        float logit = all.logits[i];
        if (kept.keeps(key_of(logit), all.id(i))) mass += row.weight(logit);
    }
    __syncthreads();
    b.piece_masses[threadIdx.x] = mass;
    mass = warp_sum(mass);
    if (threadIdx.x % WARP == 0) b.warp_masses[threadIdx.x / WARP] = mass;
    __syncthreads();
}

// The place in the list at which the target falls, once its pieces are weighed; by one thread.
__device__ __forceinline__ long draw(const row_logits &row, const list &all, cut kept,
                                     const board &b, double passed, double target) {
    int warp = fall(b.warp_masses, blockDim.x / WARP, passed, target);
    int thread = warp * WARP + fall(b.piece_masses + warp * WARP, WARP, passed, target);
    long piece = (all.n + blockDim.x - 1) / blockDim.x;
    long begin = min(thread * piece, all.n), end = min(begin + piece, all.n), chosen = begin;
    for (long i = begin; i < end; i++) {
        float logit = all.logits[i], weight = row.weight(logit);
        if (weight == 0 || !kept.keeps(key_of(logit), all.id(i))) continue;
        chosen = i;
        passed += weight;
        if (passed > target) break;
    }
    return chosen;
}

// MARK: Selecting

// The sum over the list's elements that both keep: their number, or their weights.
__device__ __forceinline__ float sum_kept(const row_logits &row, const list &all, cut outer,
                                          cut inner, bool counts, board &b) {
    float sum = 0;
    for (long i = threadIdx.x; i < all.n; i += blockDim.x) {
        float logit = all.logits[i];
        u32 key = key_of(logit);
        int id = all.id(i);
        if (outer.keeps(key, id) && inner.keeps(key, id)) sum += counts ? 1.0f : row.weight(logit);
    }
    return block_sum(sum, b.scratch);
}

// Keeps the fewest first elements of those that `outer` keeps whose number or weights reach the
// target (all of them, if they are too few or too light), and one at least. Their keys are between
// `low` and `high`.
__device__ __forceinline__ cut select(const row_logits &row, const list &all, cut outer,
                                      bool counts, double target, u32 low, u32 high, board &b) {
    int bit = low == high ? -1 : 31 - __clz((int)(low ^ high));
    u32 key = bit == 31 ? 0 : high >> (bit + 1) << (bit + 1);
    for (; bit >= 0; bit--) {
        // A cut that keeps `trial` and all above it.
        u32 trial = key | 1u << bit;
        float sum = sum_kept(row, all, outer, {trial - 1, 0}, counts, b);
        if (sum >= target && sum > 0) key = trial;
    }
    float equal = 0;
    for (long i = threadIdx.x; i < all.n; i += blockDim.x) equal += key_of(all.logits[i]) == key;
    int begin = 0, end = (int)row.V;
    if (block_sum(equal, b.scratch) <= 1) return {key, end};
    // Keeping the ids below `begin` is not enough, keeping those below `end` is, or is all.
    while (end - begin > 1) {
        int middle = begin + (end - begin) / 2;
        float sum = sum_kept(row, all, outer, {key, middle}, counts, b);
        if (sum >= target && sum > 0) {
            end = middle;
        } else {
            begin = middle;
        }
    }
    return {key, end};
}

// MARK: Candidates

// The mass of the logits whose keys are at least `limit`; their number by warps goes to the board.
__device__ __forceinline__ float weigh_above(const row_logits &row, u32 limit, board &b) {
    int warp = threadIdx.x / WARP;
    stretch s = stretch_of(warp, row.V);
    float mass = 0, count = 0;
#pragma unroll 4
    for (long i = s.begin + threadIdx.x % WARP; i < s.end; i += WARP) {
        float logit = row.logits[i];
        if (key_of(logit) >= limit) {
            mass += row.weight(logit);
            count += 1;
        }
    }
    count = warp_sum(count);
    if (threadIdx.x % WARP == 0) b.warp_counts[warp] = (int)count;
    return block_sum(mass, b.scratch);
}

// The least key that a candidate has: whatever is kept is among the candidates.
__device__ __forceinline__ u32 limit_of(const row_logits &row, int top_k, double mass, board &b) {
    if (top_k > 0) {
        list largest = {b.logits, nullptr, 0, (long)blockDim.x};
        u32 most = key_of(row.most);
        u32 limit = select(row, largest, {0, 0}, true, top_k, 0, most, b).key;
        weigh_above(row, limit, b);
        return limit;
    }
    for (float depth = 4;; depth *= 1.5f) {
        float limit = row.most - depth / row.scale;
        // Deeper weights are 0.
        if (depth > 88 || limit == row.most) limit = -INFINITE;
        if (weigh_above(row, key_of(limit), b) > mass || limit == -INFINITE) return key_of(limit);
    }
}

// The logits whose keys are at least `limit`, or the whole row where they are too many.
__device__ __forceinline__ list collect(const row_logits &row, u32 limit, board &b) {
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
    int place = 0, n = 0;
    for (int w = 0; w < warps; w++) {
        if (w < warp) place += b.warp_counts[w];
        n += b.warp_counts[w];
    }
    if (n > CANDIDATES) return {row.logits, nullptr, 0, row.V};
    stretch s = stretch_of(warp, row.V);
    for (long i = s.begin; i < s.end; i += WARP) {
        long id = i + lane;
        float logit = id < s.end ? row.logits[id] : 0;
        bool is_in = id < s.end && key_of(logit) >= limit;
        u32 lanes = lanes_where(is_in);
        int mine = place + __popc(lanes & ((1u << lane) - 1));
        if (is_in) {
            b.logits[mine] = logit;
            b.ids[mine] = (int)id;
        }
        place += __popc(lanes);
    }
    __syncthreads();
    return {b.logits, b.ids, 0, n};
}

// MARK: A row

struct choice {
    int token;
    float log_probability;
};

// Of a weighed row, by thread 0; the others' results have no meaning.
__device__ __forceinline__ choice choose_cut(const row_logits &row, int top_k, float top_p,
                                             float uniform, double total, board &b) {
    bool by_count = top_k > 0 && top_k < row.V;
    u32 high = key_of(row.most);
    u32 low = limit_of(row, by_count ? top_k : 0, (double)top_p * total, b);
    list all = collect(row, low, b);
    cut kept = {0, 0};
    if (by_count) {
        kept = select(row, all, kept, true, top_k, low, high, b);
        total = sum_kept(row, all, kept, kept, false, b);
    }
    if (top_p < 1) {
        kept = select(row, all, kept, false, (double)top_p * total, low, high, b);
    }
    weigh_pieces(row, all, kept, b);
    if (threadIdx.x != 0) return {};
    double mass = 0;
    for (int w = 0; w < (int)blockDim.x / WARP; w++) mass += b.warp_masses[w];
    long chosen = draw(row, all, kept, b, 0, (double)uniform * mass);
    float above = (all.logits[chosen] - row.most) * row.scale;
    return {all.id(chosen), above - logf((float)mass)};
}

__device__ __forceinline__ choice choose_whole(const row_logits &row, float uniform, double total,
                                               board &b) {
    if (threadIdx.x == 0) {
        b.passed = 0;
        b.target = (double)uniform * total;
        b.chosen_warp = fall(b.warp_masses, blockDim.x / WARP, b.passed, b.target);
    }
    __syncthreads();
    stretch s = stretch_of(b.chosen_warp, row.V);
    list part = {row.logits + s.begin, nullptr, s.begin, s.end - s.begin};
    weigh_pieces(row, part, {0, 0}, b);
    if (threadIdx.x != 0) return {};
    long chosen = draw(row, part, {0, 0}, b, b.passed, b.target);
    return {part.id(chosen), (part.logits[chosen] - row.most) * row.scale - logf((float)total)};
}

// The lowest id among the largest logits.
__device__ __forceinline__ choice choose_most_probable(const row_logits &row, double total,
                                                       board &b) {
    int warp = 0;
    while (b.warp_most[warp] != row.most) warp++;
    stretch s = stretch_of(warp, row.V);
    float nearest = -INFINITE;
    for (long i = s.begin + threadIdx.x; i < s.end; i += blockDim.x) {
        if (row.logits[i] == row.most) nearest = fmaxf(nearest, -(float)(i - s.begin));
    }
    nearest = block_max(nearest, b.scratch);
    return {(int)(s.begin + (long)-nearest), -logf((float)total)};
}

// logits [S, V], a row a block; settings [S, 4]: temperature, top_k, top_p, uniform, as ck_sampling
// has them. results [S, 2] receives the token (as the bits of an int) and its log-probability: -1
// and a NaN for a row without a distribution.
KERNEL __launch_bounds__(1024)
sample(long V, const float *logits, const int *settings, float *results) {
    __shared__ board b;
    settings += (long)blockIdx.x * 4;
    results += (long)blockIdx.x * 2;
    float temperature = __uint_as_float(settings[0]), top_p = __uint_as_float(settings[2]);
    float uniform = __uint_as_float(settings[3]);
    int top_k = settings[1];
    const float scale = temperature == 0 ? 1 : 1 / temperature, log2_e = 1.442695041f;
    row_logits row = {logits + (long)blockIdx.x * V, V, scale, scale * log2_e, 0,
                      V % 4 == 0 && takes_packs<4>(logits)};
    double total = weigh_row(row, b);
    choice chosen = {-1, __uint_as_float(0x7fc00000u)};
    if (total > 0 && row.most < INFINITE) {
        if (temperature == 0) {
            chosen = choose_most_probable(row, total, b);
        } else if ((top_k > 0 && top_k < V) || top_p < 1) {
            chosen = choose_cut(row, top_k, top_p, uniform, total, b);
        } else {
            chosen = choose_whole(row, uniform, total, b);
        }
    }
    if (threadIdx.x != 0) return;
    *(int *)results = chosen.token;
    results[1] = chosen.log_probability;
}

// logits[rows[i], tokens[i]] = -infinity: such a token is never chosen. A negative row is none.
KERNEL __launch_bounds__(256)
forbid_tokens(long n, long V, const int *rows, const int *tokens, float *logits) {
    long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && rows[i] >= 0) logits[(long)rows[i] * V + tokens[i]] = -INFINITE;
}
