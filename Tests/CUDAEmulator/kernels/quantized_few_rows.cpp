#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/quantized_few_rows.cu"

EMULATED_KERNELS(
    quantized_int8_16_rows,
    quantized_int8_32_rows,
    quantized_int4_16_rows,
    quantized_int4_32_rows,
    quantized_nf4_16_rows,
    quantized_nf4_32_rows,
    quantized_join_splits)
}  // namespace
