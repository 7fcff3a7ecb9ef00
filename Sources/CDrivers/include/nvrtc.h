// The part of NVRTC (libnvrtc.so.12 or .13) that is used here: CUDA C++ text to a cubin, in this
// process. A table of functions that is filled at run time; see cuda_driver.h.
#pragma once

#include <stddef.h>

#pragma clang assume_nonnull begin

typedef struct cd_program_object *cd_program;

/// The functions; all give 0 where they worked, but `nvrtcGetErrorString`.
typedef struct cd_nvrtc {
    int (*nvrtcVersion)(int *major, int *minor);
    const char *_Nullable (*_Nonnull nvrtcGetErrorString)(int result);
    int (*nvrtcGetNumSupportedArchs)(int *count);
    /// Compute capabilities as 10 * major + minor, ascending.
    int (*nvrtcGetSupportedArchs)(int *architectures);
    int (*nvrtcCreateProgram)(cd_program _Nullable *_Nonnull program, const char *source,
                              const char *_Nullable name, int header_count,
                              const char *_Nullable const *_Nullable headers,
                              const char *_Nullable const *_Nullable header_names);
    int (*nvrtcDestroyProgram)(cd_program _Nullable *_Nonnull program);
    int (*nvrtcCompileProgram)(cd_program program, int option_count,
                               const char *_Nullable const *_Nullable options);
    int (*nvrtcGetProgramLogSize)(cd_program program, size_t *bytes);
    int (*nvrtcGetProgramLog)(cd_program program, char *log);
    int (*nvrtcGetCUBINSize)(cd_program program, size_t *bytes);
    int (*nvrtcGetCUBIN)(cd_program program, char *cubin);
} cd_nvrtc;

#pragma clang assume_nonnull end
