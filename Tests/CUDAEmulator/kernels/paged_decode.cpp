#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/paged_decode.cu"

EMULATED_KERNELS(
    paged_decode_bf16_d64,
    paged_decode_bf16_d128,
    paged_decode_f32,
    paged_decode_join_f32,
    paged_decode_bf16,
    paged_decode_join_bf16)
}  // namespace
