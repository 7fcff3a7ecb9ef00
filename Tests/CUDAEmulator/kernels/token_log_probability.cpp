#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/token_log_probability.cu"

EMULATED_KERNELS(
    token_log_probability_update,
    token_log_probability_results,
    token_log_probability_backward_f32,
    token_log_probability_backward_bf16)
}  // namespace
