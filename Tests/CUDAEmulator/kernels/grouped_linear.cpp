#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/grouped_linear.cu"

EMULATED_KERNELS(
    grouped_linear_shrink_f32,
    grouped_linear_shrink_bf16,
    grouped_linear_shrink_bf16_tensor,
    grouped_linear_expand_f32,
    grouped_linear_expand_bf16,
    grouped_linear_expand_bf16_tensor)
}  // namespace
