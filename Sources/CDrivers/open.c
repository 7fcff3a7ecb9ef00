#define _GNU_SOURCE  // dladdr
#include "open.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where in a table the function with this exported name belongs.
typedef struct symbol {
    const char *name;
    size_t offset;
} symbol;

#define COUNT(array) (sizeof(array) / sizeof *(array))

// MARK: The tables

#define AT(field) offsetof(cd_cuda, field)

// The driver keeps the first signature of a function under the plain name: what is called here is
// what its header has made of the name since CUDA 4, or 10 for captures.
static const symbol cuda_symbols[] = {
    {"cuInit", AT(cuInit)},
    {"cuDriverGetVersion", AT(cuDriverGetVersion)},
    {"cuGetErrorName", AT(cuGetErrorName)},
    {"cuGetErrorString", AT(cuGetErrorString)},
    {"cuDeviceGetCount", AT(cuDeviceGetCount)},
    {"cuDeviceGet", AT(cuDeviceGet)},
    {"cuDeviceGetName", AT(cuDeviceGetName)},
    {"cuDeviceTotalMem_v2", AT(cuDeviceTotalMem)},
    {"cuDeviceGetAttribute", AT(cuDeviceGetAttribute)},
    {"cuDevicePrimaryCtxRetain", AT(cuDevicePrimaryCtxRetain)},
    {"cuDevicePrimaryCtxRelease_v2", AT(cuDevicePrimaryCtxRelease)},
    {"cuCtxSetCurrent", AT(cuCtxSetCurrent)},
    {"cuMemGetInfo_v2", AT(cuMemGetInfo)},
    {"cuMemAlloc_v2", AT(cuMemAlloc)},
    {"cuMemFree_v2", AT(cuMemFree)},
    {"cuMemHostAlloc", AT(cuMemHostAlloc)},
    {"cuMemFreeHost", AT(cuMemFreeHost)},
    {"cuMemcpyHtoD_v2", AT(cuMemcpyHtoD)},
    {"cuMemcpyDtoH_v2", AT(cuMemcpyDtoH)},
    {"cuMemcpyDtoD_v2", AT(cuMemcpyDtoD)},
    {"cuMemcpyHtoDAsync_v2", AT(cuMemcpyHtoDAsync)},
    {"cuMemcpyDtoHAsync_v2", AT(cuMemcpyDtoHAsync)},
    {"cuMemcpyDtoDAsync_v2", AT(cuMemcpyDtoDAsync)},
    {"cuMemsetD8Async", AT(cuMemsetD8Async)},
    {"cuMemsetD32Async", AT(cuMemsetD32Async)},
    {"cuStreamCreate", AT(cuStreamCreate)},
    {"cuStreamDestroy_v2", AT(cuStreamDestroy)},
    {"cuStreamSynchronize", AT(cuStreamSynchronize)},
    {"cuStreamWaitEvent", AT(cuStreamWaitEvent)},
    {"cuEventCreate", AT(cuEventCreate)},
    {"cuEventDestroy_v2", AT(cuEventDestroy)},
    {"cuEventRecord", AT(cuEventRecord)},
    {"cuEventQuery", AT(cuEventQuery)},
    {"cuEventSynchronize", AT(cuEventSynchronize)},
    {"cuEventElapsedTime", AT(cuEventElapsedTime)},
    {"cuModuleLoadData", AT(cuModuleLoadData)},
    {"cuModuleUnload", AT(cuModuleUnload)},
    {"cuModuleGetFunction", AT(cuModuleGetFunction)},
    {"cuFuncSetAttribute", AT(cuFuncSetAttribute)},
    {"cuLaunchKernel", AT(cuLaunchKernel)},
    {"cuStreamBeginCapture_v2", AT(cuStreamBeginCapture)},
    {"cuStreamEndCapture", AT(cuStreamEndCapture)},
    {"cuGraphInstantiateWithFlags", AT(cuGraphInstantiateWithFlags)},
    {"cuGraphLaunch", AT(cuGraphLaunch)},
    {"cuGraphExecDestroy", AT(cuGraphExecDestroy)},
    {"cuGraphDestroy", AT(cuGraphDestroy)},
};
_Static_assert(COUNT(cuda_symbols) * sizeof(void *) == sizeof(cd_cuda), "one symbol a field");

#undef AT
#define AT(field) {#field, offsetof(cd_nvrtc, field)}

static const symbol nvrtc_symbols[] = {
    AT(nvrtcVersion),
    AT(nvrtcGetErrorString),
    AT(nvrtcGetNumSupportedArchs),
    AT(nvrtcGetSupportedArchs),
    AT(nvrtcCreateProgram),
    AT(nvrtcDestroyProgram),
    AT(nvrtcCompileProgram),
    AT(nvrtcGetProgramLogSize),
    AT(nvrtcGetProgramLog),
    AT(nvrtcGetCUBINSize),
    AT(nvrtcGetCUBIN),
};
_Static_assert(COUNT(nvrtc_symbols) * sizeof(void *) == sizeof(cd_nvrtc), "one symbol a field");

#undef AT
#define AT(field) {#field, offsetof(cd_cublaslt, field)}

static const symbol cublaslt_symbols[] = {
    AT(cublasLtGetVersion),
    AT(cublasLtGetStatusString),
    AT(cublasLtCreate),
    AT(cublasLtDestroy),
    AT(cublasLtMatmulDescCreate),
    AT(cublasLtMatmulDescDestroy),
    AT(cublasLtMatmulDescSetAttribute),
    AT(cublasLtMatrixLayoutCreate),
    AT(cublasLtMatrixLayoutDestroy),
    AT(cublasLtMatrixLayoutSetAttribute),
    AT(cublasLtMatmulPreferenceCreate),
    AT(cublasLtMatmulPreferenceDestroy),
    AT(cublasLtMatmulPreferenceSetAttribute),
    AT(cublasLtMatmulAlgoGetHeuristic),
    AT(cublasLtMatmul),
};
_Static_assert(COUNT(cublaslt_symbols) * sizeof(void *) == sizeof(cd_cublaslt),
               "one symbol a field");

// MARK: Loading

// Adds `text` to what `report` says already, after "; ".
static void add_to_report(char *report, size_t capacity, const char *text, const char *more) {
    size_t length = strlen(report);
    snprintf(report + length, capacity - length, "%s%s%s", length > 0 ? "; " : "", text, more);
}

// The file that `address` was loaded from, links resolved; `candidate` where that cannot be said.
static void loaded_path(void *address, const char *candidate, char path[PATH_MAX]) {
    Dl_info info;
    const char *name = candidate;
    if (dladdr(address, &info) != 0 && info.dli_fname != NULL) name = info.dli_fname;
    if (realpath(name, path) == NULL) snprintf(path, PATH_MAX, "%s", name);
}

// True where a library has every symbol; else `report` has what was wrong with each candidate.
static bool open_table(void *table, const symbol *symbols, size_t symbol_count,
                       const char *const *candidates, int count, char *report, size_t capacity) {
    report[0] = 0;
    for (int i = 0; i < count; i++) {
        void *library = dlopen(candidates[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            add_to_report(report, capacity, dlerror(), "");
            continue;
        }
        const char *missing = NULL;
        void *function = NULL;
        for (size_t s = 0; s < symbol_count && missing == NULL; s++) {
            function = dlsym(library, symbols[s].name);
            if (function == NULL) missing = symbols[s].name;
            memcpy((char *)table + symbols[s].offset, &function, sizeof function);
        }
        if (missing == NULL) {
            char path[PATH_MAX];
            loaded_path(function, candidates[i], path);
            snprintf(report, capacity, "%s", path);
            return true;
        }
        add_to_report(report, capacity, candidates[i], ": it lacks the function ");
        size_t length = strlen(report);
        snprintf(report + length, capacity - length, "%s", missing);
        dlclose(library);
    }
    return false;
}

bool cd_open_cuda(cd_cuda *table, const char *const *candidates, int count, char *report,
                  size_t capacity) {
    return open_table(table, cuda_symbols, COUNT(cuda_symbols), candidates, count, report,
                      capacity);
}

bool cd_open_cublaslt(cd_cublaslt *table, const char *const *candidates, int count, char *report,
                      size_t capacity) {
    return open_table(table, cublaslt_symbols, COUNT(cublaslt_symbols), candidates, count, report,
                      capacity);
}

// NVRTC opens its builtins by their bare name when it compiles first, and the library of the Python
// wheel does not know its own folder. One that is loaded already under that name is what it gets.
static void load_builtins(const char *library_path) {
    const char *slash = strrchr(library_path, '/');
    if (slash == NULL) return;
    char pattern[PATH_MAX];
    snprintf(pattern, sizeof pattern, "%.*s/libnvrtc-builtins.so.*", (int)(slash - library_path),
             library_path);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
        }
    }
    globfree(&found);
}

bool cd_open_nvrtc(cd_nvrtc *table, const char *const *candidates, int count, char *report,
                   size_t capacity) {
    bool opened = open_table(table, nvrtc_symbols, COUNT(nvrtc_symbols), candidates, count, report,
                             capacity);
    if (opened) load_builtins(report);
    return opened;
}
