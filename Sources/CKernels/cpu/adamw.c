// torch.optim.AdamW's update element by element. The decay p - p * rate * weight_decay is added to
// the step, so that a parameter is rounded once (p * (1 - rate * weight_decay) would lose half of
// a small decay's digits). The factors are worked out in double.
#include "../include/adamw.h"

#include <math.h>

#include "task.h"

typedef struct {
    long n;
    float decay, keep2, add1, add2, root_correction, epsilon, step_size, gradient_scale;
    float *parameters, *first, *second;
    const float *gradients;
} adamw;

CK_INLINE void update_piece(void *context, long task) {
    const adamw a = *(const adamw *)context;
    ck_range range = ck_piece(task, CK_TASK_ELEMENTS, a.n);
    float *restrict parameters = a.parameters, *restrict first = a.first;
    float *restrict second = a.second;
    const float *restrict gradients = a.gradients;
    for (long i = range.begin; i < range.end; i++) {
        float gradient = gradients[i] * a.gradient_scale;
        float m = first[i] + a.add1 * (gradient - first[i]);
        float v = a.keep2 * second[i] + a.add2 * gradient * gradient;
        float denominator = __builtin_elementwise_sqrt(v) / a.root_correction + a.epsilon;
        first[i] = m;
        second[i] = v;
        parameters[i] -= a.decay * parameters[i] + a.step_size * (m / denominator);
    }
}
CK_TASK(update_piece)

void ck_adamw_update(long n, ck_adamw settings, float *parameters, const float *gradients,
                     float *first_moments, float *second_moments) {
    double correction1 = 1 - pow(settings.beta1, (double)settings.step);
    double correction2 = 1 - pow(settings.beta2, (double)settings.step);
    adamw a = {
        .n = n,
        .decay = (float)(settings.learning_rate * settings.weight_decay),
        .keep2 = (float)settings.beta2,
        .add1 = (float)(1 - settings.beta1),
        .add2 = (float)(1 - settings.beta2),
        .root_correction = (float)sqrt(correction2),
        .epsilon = (float)settings.epsilon,
        .step_size = (float)(settings.learning_rate / correction1),
        .gradient_scale = settings.gradient_scale,
        .parameters = parameters,
        .first = first_moments,
        .second = second_moments,
        .gradients = gradients,
    };
    update_piece_run(ck_divide_up(n, CK_TASK_ELEMENTS), &a);
}
