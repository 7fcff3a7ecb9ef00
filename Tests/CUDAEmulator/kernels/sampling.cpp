#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/sampling.cu"

EMULATED_KERNELS(
    sample,
    forbid_tokens)
}  // namespace
