#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/attention.cu"

EMULATED_KERNELS(
    attention_forward_f32,
    attention_forward_bf16,
    attention_forward_bf16_d64,
    attention_forward_bf16_d128)
}  // namespace
