#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/rms_norm.cu"

EMULATED_KERNELS(
    rms_norm_weight_sum,
    rms_norm_forward_f32_f32,
    rms_norm_backward_f32_f32,
    rms_norm_weight_partials_f32_f32,
    rms_norm_forward_f32_bf16,
    rms_norm_backward_f32_bf16,
    rms_norm_weight_partials_f32_bf16,
    rms_norm_forward_bf16_bf16,
    rms_norm_backward_bf16_bf16,
    rms_norm_weight_partials_bf16_bf16)
}  // namespace
