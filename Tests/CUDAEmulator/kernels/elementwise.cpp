#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/elementwise.cu"

EMULATED_KERNELS(
    add_f32_f32,
    add_f32_bf16,
    add_bf16_bf16,
    add_bf16_f32,
    convert_f32_bf16,
    convert_bf16_f32,
    fill_f32,
    fill_bf16,
    scale_f32,
    sum_of_squares_partials,
    sum_of_partials)
}  // namespace
