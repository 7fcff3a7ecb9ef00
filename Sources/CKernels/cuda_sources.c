// The one list of the files in the folder cuda that the program carries: a new file needs its entry
// here and, where it has kernels, its case of KernelFile.
#include "cuda_sources.h"

#include <stddef.h>

// A file's text; the zero after it is in each entry.
#define TEXT (const char[])

static const ck_cuda_source sources[] = {
    {"prelude.cuh", TEXT{
#embed "cuda/prelude.cuh"
    , 0}},
    {NULL, NULL},
};

const ck_cuda_source *ck_cuda_sources(void) { return sources; }
