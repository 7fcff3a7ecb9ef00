#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/swiglu.cu"

EMULATED_KERNELS(
    swiglu_forward_f32,
    swiglu_backward_f32,
    swiglu_forward_bf16,
    swiglu_backward_bf16)
}  // namespace
