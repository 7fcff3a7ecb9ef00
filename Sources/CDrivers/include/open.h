// Fills the tables of functions from libraries that are found at run time.
#pragma once

#include <stdbool.h>

#include "cublaslt.h"
#include "cuda_driver.h"
#include "nvrtc.h"

#pragma clang assume_nonnull begin

// Each loads the first of `candidates` (paths or bare sonames) that the loader can open and that
// has every function of the table. True: `report` is the path of the file that was loaded, its
// links resolved. False: `report` says of each candidate what was wrong, and the table is not to be
// used. A library that was opened stays so.
bool cd_open_cuda(cd_cuda *table, const char *_Nullable const *_Nullable candidates, int count,
                  char *report, size_t capacity);
bool cd_open_nvrtc(cd_nvrtc *table, const char *_Nullable const *_Nullable candidates, int count,
                   char *report, size_t capacity);
bool cd_open_cublaslt(cd_cublaslt *table, const char *_Nullable const *_Nullable candidates,
                      int count, char *report, size_t capacity);

#pragma clang assume_nonnull end
