#include "../kernel.h"

namespace {
#include "../../../Sources/CKernels/cuda/adamw.cu"

EMULATED_KERNELS(
    adamw_update)
}  // namespace
