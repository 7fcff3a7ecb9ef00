#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/linear.cu"

EMULATED_KERNELS(
    linear_backward_bias_f32,
    linear_backward_bias_bf16,
    linear_add_bias_f32,
    linear_add_bias_bf16)
}  // namespace
