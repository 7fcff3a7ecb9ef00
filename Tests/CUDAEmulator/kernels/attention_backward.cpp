#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/attention_backward.cu"

EMULATED_KERNELS(
    attention_delta_f32,
    attention_delta_bf16,
    attention_query_gradient_bf16_d64,
    attention_key_gradient_bf16_d64,
    attention_query_gradient_bf16_d128,
    attention_key_gradient_bf16_d128,
    attention_query_gradient_f32,
    attention_key_gradient_f32,
    attention_key_gradient_join_f32,
    attention_query_gradient_bf16,
    attention_key_gradient_bf16,
    attention_key_gradient_join_bf16)
}  // namespace
