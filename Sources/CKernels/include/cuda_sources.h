// The text of the CUDA kernels, which the program carries: NVRTC compiles it where a GPU is found.
#pragma once

typedef struct ck_cuda_source {
    // The file's name in the folder cuda: a kernel file ends in .cu, a header of theirs in .cuh.
    const char *_Nullable name;
    const char *_Nullable text;
} ck_cuda_source;

// All of them; the last has no name.
const ck_cuda_source *_Nonnull ck_cuda_sources(void);
