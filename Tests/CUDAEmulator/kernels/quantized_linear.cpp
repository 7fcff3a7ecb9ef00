#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/quantized_linear.cu"

EMULATED_KERNELS(
    dequantize_int8_f32,
    dequantize_int8_bf16,
    dequantize_int4_f32,
    dequantize_int4_bf16,
    dequantize_nf4_f32,
    dequantize_nf4_bf16)
}  // namespace
