#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/embedding.cu"

EMULATED_KERNELS(
    embedding_forward_f32_f32,
    embedding_forward_bf16_f32,
    embedding_forward_bf16_bf16,
    embedding_forward_int8_f32,
    embedding_forward_int8_bf16,
    embedding_forward_int4_f32,
    embedding_forward_int4_bf16,
    embedding_forward_nf4_f32,
    embedding_forward_nf4_bf16,
    embedding_backward_f32_f32,
    embedding_backward_bf16_f32,
    embedding_backward_bf16_bf16)
}  // namespace
