#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/paged_attention.cu"

EMULATED_KERNELS(
    paged_cache_write_f32,
    paged_cache_write_bf16,
    paged_cache_write_16_bytes_f32,
    paged_cache_write_16_bytes_bf16,
    paged_attention_f32,
    paged_attention_bf16,
    paged_attention_bf16_d64,
    paged_attention_bf16_d128)
}  // namespace
