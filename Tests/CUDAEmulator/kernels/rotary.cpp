#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/rotary.cu"

EMULATED_KERNELS(
    rotary_f32,
    rotary_bf16)
}  // namespace
