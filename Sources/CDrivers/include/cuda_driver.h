// The part of NVIDIA's driver API (libcuda.so.1) that is used here, as a table of functions that is
// filled at run time: no vendor header is read and nothing is linked.
//
// Fields have the names of NVIDIA's documentation, without the version that the exported symbol may
// end in. Every function gives 0 where it worked.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// What a call gives: 0, or a code that `cuGetErrorName` knows.
typedef int cd_result;
/// An address in device memory.
typedef uint64_t cd_address;
/// The number of a device, from 0.
typedef int cd_device;
typedef struct cd_context_object *cd_context;
typedef struct cd_stream_object *cd_stream;
typedef struct cd_event_object *cd_event;
typedef struct cd_module_object *cd_module;
typedef struct cd_function_object *cd_function;
typedef struct cd_graph_object *cd_graph;
typedef struct cd_graph_exec_object *cd_graph_exec;

enum {
    CD_SUCCESS = 0,
    CD_ERROR_OUT_OF_MEMORY = 2,
    CD_ERROR_NO_DEVICE = 100,
    CD_ERROR_NOT_READY = 600,
};

/// Attributes of a device (CU_DEVICE_ATTRIBUTE_...).
enum {
    CD_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CD_ATTRIBUTE_INTEGRATED = 18,
    CD_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CD_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CD_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
};

enum {
    /// An attribute of a function: the most dynamic shared memory a launch may ask for.
    CD_FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    /// A stream that does not wait for the default stream.
    CD_STREAM_NON_BLOCKING = 1,
    CD_EVENT_DEFAULT = 0,
    CD_EVENT_DISABLE_TIMING = 2,
    /// While a thread captures, others may do what they like, and the thread may allocate.
    CD_CAPTURE_RELAXED = 2,
};

/// The functions; all are there in a table that was opened.
typedef struct cd_cuda {
    cd_result (*cuInit)(unsigned flags);
    /// 1000 * major + 10 * minor of the newest CUDA that the driver serves.
    cd_result (*cuDriverGetVersion)(int *version);
    cd_result (*cuGetErrorName)(cd_result error, const char *_Nullable *_Nonnull name);
    cd_result (*cuGetErrorString)(cd_result error, const char *_Nullable *_Nonnull text);

    cd_result (*cuDeviceGetCount)(int *count);
    cd_result (*cuDeviceGet)(cd_device *device, int ordinal);
    cd_result (*cuDeviceGetName)(char *name, int capacity, cd_device device);
    cd_result (*cuDeviceTotalMem)(size_t *bytes, cd_device device);
    cd_result (*cuDeviceGetAttribute)(int *value, int attribute, cd_device device);
    cd_result (*cuDevicePrimaryCtxRetain)(cd_context _Nullable *_Nonnull context, cd_device device);
    cd_result (*cuDevicePrimaryCtxRelease)(cd_device device);
    /// Of the calling thread.
    cd_result (*cuCtxSetCurrent)(cd_context _Nullable context);

    cd_result (*cuMemGetInfo)(size_t *free_bytes, size_t *total_bytes);
    cd_result (*cuMemAlloc)(cd_address *address, size_t bytes);
    cd_result (*cuMemFree)(cd_address address);
    /// Pinned host memory.
    cd_result (*cuMemHostAlloc)(void *_Nullable *_Nonnull address, size_t bytes, unsigned flags);
    cd_result (*cuMemFreeHost)(void *address);

    cd_result (*cuMemcpyHtoD)(cd_address to, const void *from, size_t bytes);
    cd_result (*cuMemcpyDtoH)(void *to, cd_address from, size_t bytes);
    cd_result (*cuMemcpyDtoD)(cd_address to, cd_address from, size_t bytes);
    cd_result (*cuMemcpyHtoDAsync)(cd_address to, const void *from, size_t bytes, cd_stream stream);
    cd_result (*cuMemcpyDtoHAsync)(void *to, cd_address from, size_t bytes, cd_stream stream);
    cd_result (*cuMemcpyDtoDAsync)(cd_address to, cd_address from, size_t bytes, cd_stream stream);
    cd_result (*cuMemsetD8Async)(cd_address to, unsigned char value, size_t count,
                                 cd_stream stream);
    cd_result (*cuMemsetD32Async)(cd_address to, unsigned value, size_t count, cd_stream stream);

    cd_result (*cuStreamCreate)(cd_stream _Nullable *_Nonnull stream, unsigned flags);
    cd_result (*cuStreamDestroy)(cd_stream stream);
    cd_result (*cuStreamSynchronize)(cd_stream stream);
    cd_result (*cuStreamWaitEvent)(cd_stream stream, cd_event event, unsigned flags);

    cd_result (*cuEventCreate)(cd_event _Nullable *_Nonnull event, unsigned flags);
    cd_result (*cuEventDestroy)(cd_event event);
    cd_result (*cuEventRecord)(cd_event event, cd_stream stream);
    /// CD_ERROR_NOT_READY where the stream has not come to the event.
    cd_result (*cuEventQuery)(cd_event event);
    cd_result (*cuEventSynchronize)(cd_event event);
    cd_result (*cuEventElapsedTime)(float *milliseconds, cd_event start, cd_event end);

    /// `image` is a cubin; its length is in its header.
    cd_result (*cuModuleLoadData)(cd_module _Nullable *_Nonnull module, const void *image);
    cd_result (*cuModuleUnload)(cd_module module);
    cd_result (*cuModuleGetFunction)(cd_function _Nullable *_Nonnull function, cd_module module,
                                     const char *name);
    cd_result (*cuFuncSetAttribute)(cd_function function, int attribute, int value);
    /// `parameters` points to the arguments' values, one pointer each.
    cd_result (*cuLaunchKernel)(cd_function function, unsigned grid_x, unsigned grid_y,
                                unsigned grid_z, unsigned block_x, unsigned block_y,
                                unsigned block_z, unsigned shared_bytes, cd_stream stream,
                                void *_Nullable *_Nullable parameters,
                                void *_Nullable *_Nullable extra);

    cd_result (*cuStreamBeginCapture)(cd_stream stream, int mode);
    cd_result (*cuStreamEndCapture)(cd_stream stream, cd_graph _Nullable *_Nonnull graph);
    cd_result (*cuGraphInstantiateWithFlags)(cd_graph_exec _Nullable *_Nonnull exec, cd_graph graph,
                                             unsigned long long flags);
    cd_result (*cuGraphLaunch)(cd_graph_exec exec, cd_stream stream);
    cd_result (*cuGraphExecDestroy)(cd_graph_exec exec);
    cd_result (*cuGraphDestroy)(cd_graph graph);
} cd_cuda;

#pragma clang assume_nonnull end
