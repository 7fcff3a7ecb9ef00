// AdamW with decoupled weight decay (arXiv 1711.05101), as torch.optim.AdamW computes it.
#pragma once

typedef struct ck_adamw {
    // In double as torch has them: 1 - beta2 of a float 0.999 is off by 1.3e-5 of itself.
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    float gradient_scale;  // the gradients are multiplied by this first (clipping)
    long step;             // 1 for the first update
} ck_adamw;

void ck_adamw_update(long n, ck_adamw settings, float *_Nonnull parameters,
                     const float *_Nonnull gradients, float *_Nonnull first_moments,
                     float *_Nonnull second_moments);
