// torch.optim.AdamW's update (arXiv 1711.05101) element by element, with the decay added to the
// step so that a parameter is rounded once. The factors come worked out in f64.
#include "prelude.cuh"

struct adamw_factors {
    float decay, keep2, add1, add2, root_correction, epsilon, step_size, gradient_scale;
};

// Elements i ..< i + N.
template <int N>
__device__ __forceinline__ void update_at(long i, const adamw_factors &a, float *parameters,
                                          const float *gradients, float *first_moments,
                                          float *second_moments) {
    float p[N], g[N], m[N], v[N];
    load(parameters + i, p);
    load(gradients + i, g);
    load(first_moments + i, m);
    load(second_moments + i, v);
#pragma unroll
    for (int j = 0; j < N; j++) {
        float gradient = g[j] * a.gradient_scale;
        m[j] += a.add1 * (gradient - m[j]);
        v[j] = a.keep2 * v[j] + a.add2 * gradient * gradient;
        float denominator = sqrtf(v[j]) / a.root_correction + a.epsilon;
        p[j] -= a.decay * p[j] + a.step_size * (m[j] / denominator);
    }
    store(first_moments + i, m);
    store(second_moments + i, v);
    store(parameters + i, p);
}

// n elements of each buffer; decay = rate * weight_decay, keep2 = beta2, add1 = 1 - beta1,
// add2 = 1 - beta2, root_correction = sqrt(1 - beta2^step), step_size = rate / (1 - beta1^step).
KERNEL __launch_bounds__(256)
adamw_update(long n, float decay, float keep2, float add1, float add2, float root_correction,
             float epsilon, float step_size, float gradient_scale, float *parameters,
             const float *gradients, float *first_moments, float *second_moments) {
    adamw_factors a = {decay,   keep2,     add1,          add2, root_correction,
                       epsilon, step_size, gradient_scale};
    long thread = (long)blockIdx.x * blockDim.x + threadIdx.x;
    long threads = (long)gridDim.x * blockDim.x;
    bool packs = takes_packs<4>(parameters) && takes_packs<4>(gradients)
        && takes_packs<4>(first_moments) && takes_packs<4>(second_moments);
    long count = packs ? n / 4 : 0;
    for (long i = thread; i < count; i += threads) {
        update_at<4>(i * 4, a, parameters, gradients, first_moments, second_moments);
    }
    for (long i = count * 4 + thread; i < n; i += threads) {
        update_at<1>(i, a, parameters, gradients, first_moments, second_moments);
    }
}
