// The fused head over one tile of logits [T, W], the vocabulary's columns first ..< first + W: the
// running softmax of each row (online softmax, arXiv 1805.02867), and on the way back the loss's
// derivative by each logit. One block a row; see cpu/token_log_probability.c for the formulas.
#include "prelude.cuh"

#define LOWEST (-__uint_as_float(0x7f800000u))

// Of some of a row's scaled logits l: the maximum m, s = sum exp(l - m),
// w = sum exp(l - m) (l - m), q = sum exp(l - m)^2.
struct softmax {
    float maximum, sum, weighted, squared;
};

// Goes over to a larger maximum. Where nothing has been added yet there is nothing to scale.
__device__ __forceinline__ void raise(softmax &state, float maximum) {
    if (state.sum > 0) {
        float shift = state.maximum - maximum, factor = exp_approximate(shift);
        state.weighted = factor * (state.weighted + shift * state.sum);
        state.sum *= factor;
        state.squared *= factor * factor;
    }
    state.maximum = maximum;
}

template <int N>
__device__ __forceinline__ void add_logits(softmax &state, const float *logits, float scale) {
    float values[N];
    load(logits, values);
    float most = LOWEST;
#pragma unroll
    for (int i = 0; i < N; i++) most = fmaxf(most, values[i] *= scale);
    if (most > state.maximum) raise(state, most);
    // A row may begin with -infinity, which weighs nothing; a NaN goes into the sums.
    float origin = state.maximum == LOWEST ? 0 : state.maximum;
#pragma unroll
    for (int i = 0; i < N; i++) {
        float below = values[i] - origin, weight = exp_approximate(below);
        state.sum += weight;
        state.squared += weight * weight;
        state.weighted += weight == 0 ? 0 : weight * below;
    }
}

// The softmax of a whole block's logits, from those of its threads; the same in each.
__device__ __forceinline__ softmax block_softmax(softmax own, float *scratch) {
    float maximum = block_max(own.maximum, scratch);
    if (own.maximum < maximum) raise(own, maximum);
    own.sum = block_sum(own.sum, scratch);
    own.weighted = block_sum(own.weighted, scratch);
    own.squared = block_sum(own.squared, scratch);
    own.maximum = maximum;
    return own;
}

// MARK: Forward

enum { STATE = 8 }; // words of a row's state: maximum, sum, weighted, squared, the target's logit

// logits are products, l = logits * scale. state [T, STATE] starts here where `is_first`.
KERNEL __launch_bounds__(256)
token_log_probability_update(long W, long first, const float *logits, const int *targets,
                             float scale, float *state, int is_first) {
    __shared__ float scratch[WARP];
    long t = blockIdx.x;
    bool packs = W % 4 == 0 && takes_packs<4>(logits);
    logits += t * W;
    state += t * STATE;
    softmax own = {LOWEST, 0, 0, 0};
    if (packs) {
        for (long v = threadIdx.x * 4; v < W; v += blockDim.x * 4) {
            add_logits<4>(own, logits + v, scale);
        }
    } else {
        for (long v = threadIdx.x; v < W; v += blockDim.x) add_logits<1>(own, logits + v, scale);
    }
    softmax tile = block_softmax(own, scratch);
    if (threadIdx.x != 0) return;
    softmax all = {LOWEST, 0, 0, 0};
    if (!is_first) all = {state[0], state[1], state[2], state[3]};
    float maximum = fmaxf(all.maximum, tile.maximum);
    if (all.maximum < maximum) raise(all, maximum);
    if (tile.maximum < maximum) raise(tile, maximum);
    state[0] = maximum;
    state[1] = all.sum + tile.sum;
    state[2] = all.weighted + tile.weighted;
    state[3] = all.squared + tile.squared;
    long target = targets[t] - first;
    if (target >= 0 && target < W) {
        state[4] = logits[target] * scale;
    } else if (is_first) {
        state[4] = __uint_as_float(0x7fc00000u); // a NaN until it is met
    }
}

// lse = m + log s, log-probability = (l_target - m) - log s, entropy = log s - w / s, sum of
// squared probabilities = q / s^2.
KERNEL __launch_bounds__(256)
token_log_probability_results(long T, const float *state, float *log_probabilities,
                              float *entropies, float *squared_probability_sums, float *lse) {
    long t = (long)blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= T) return;
    state += t * STATE;
    float maximum = state[0], sum = state[1], log_sum = logf(sum);
    lse[t] = maximum + log_sum;
    log_probabilities[t] = (state[4] - maximum) - log_sum;
    entropies[t] = log_sum - state[2] / sum;
    squared_probability_sums[t] = state[3] / (sum * sum);
}

// MARK: Backward

// What the derivatives of one row share, both times the scale.
struct row_slopes {
    float scale, lse, entropy, by_log_probability, by_entropy;
    long target; // of this tile's columns, or outside of them
};

template <int N, typename A>
__device__ __forceinline__ void differentiate_at(long v, const row_slopes &row, const float *logits,
                                                 A *dlogits) {
    float values[N];
    load(logits + v, values);
#pragma unroll
    for (int i = 0; i < N; i++) {
        float log_p = values[i] * row.scale - row.lse, p = exp_approximate(log_p);
        float slope = row.by_log_probability + row.by_entropy * (log_p + row.entropy);
        values[i] = p == 0 ? 0 : -p * slope;
        if (v + i == row.target) values[i] += row.by_log_probability;
    }
    store(dlogits + v, values);
}

// dlogits [T, W] receives the gradient by the logits before they are scaled; where A is f32 it may
// be `logits`.
template <typename A>
__device__ __forceinline__ void token_log_probability_backward(
    long W, long first, const float *logits, const int *targets, float scale,
    const float *entropies, const float *lse, const float *dlog_probabilities,
    const float *dentropies, A *dlogits) {
    long t = blockIdx.x;
    row_slopes row = {scale, lse[t], entropies[t], dlog_probabilities[t] * scale,
                      dentropies[t] * scale, targets[t] - first};
    bool packs = W % 4 == 0 && takes_packs<4>(logits) && takes_packs<4>(dlogits);
    logits += t * W;
    dlogits += t * W;
    if (packs) {
        for (long v = threadIdx.x * 4; v < W; v += blockDim.x * 4) {
            differentiate_at<4>(v, row, logits, dlogits);
        }
    } else {
        for (long v = threadIdx.x; v < W; v += blockDim.x) {
            differentiate_at<1>(v, row, logits, dlogits);
        }
    }
}

#define BACKWARD(name, A)                                                                          \
    KERNEL __launch_bounds__(256)                                                                  \
    token_log_probability_backward_##name(                                                         \
        long W, long first, const float *logits, const int *targets, float scale,                  \
        const float *entropies, const float *lse, const float *dlog_probabilities,                 \
        const float *dentropies, A *dlogits) {                                                     \
        token_log_probability_backward(W, first, logits, targets, scale, entropies, lse,           \
                                       dlog_probabilities, dentropies, dlogits);                   \
    }

BACKWARD(f32, float)
BACKWARD(bf16, bf16)
