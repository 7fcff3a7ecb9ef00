// The device, its context and its memory. Watched: calls before cuInit or without the context on the
// calling thread, copies outside of allocations, double frees, written red zones, and work that is
// still under way when the host goes on as if it were done (it has not begun then).
#include "machine.h"

#include <algorithm>
#include <cstring>

namespace emulator {

cd_result Machine::blame(cd_result error, const std::string &what) {
    if (wrong.empty()) wrong = what;
    return error;
}

cd_result Machine::break_down(cd_result error, const std::string &what) {
    sticky = error;
    return blame(error, what);
}

bool Machine::reaches(cd_address address, size_t bytes, const char *user) {
    if (memory.holds((const void *)address, bytes)) return true;
    blame(INVALID_VALUE, std::string(user) + " reaches " + std::to_string(bytes)
                             + " bytes that are not all in one allocation of the device");
    return false;
}

// MARK: The device

cd_result Machine::init(unsigned flags) {
    if (flags != 0) return blame(INVALID_VALUE, "cuInit takes no flags");
    is_initialized = true;
    return device_count > 0 ? 0 : NO_DEVICE;
}

cd_result Machine::driver_get_version(int *version) {
    *version = driver_version;
    return 0;
}

namespace {
struct ErrorText {
    cd_result error;
    const char *name, *text;
};
const ErrorText error_texts[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {DEINITIALIZED, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
};
const ErrorText *text_of(cd_result error) {
    for (const ErrorText &text : error_texts)
        if (text.error == error) return &text;
    return nullptr;
}
}  // namespace

cd_result Machine::get_error_name(cd_result error, const char **name) {
    const ErrorText *text = text_of(error);
    *name = text == nullptr ? nullptr : text->name;
    return text == nullptr ? INVALID_VALUE : 0;
}

cd_result Machine::get_error_string(cd_result error, const char **string) {
    const ErrorText *text = text_of(error);
    *string = text == nullptr ? nullptr : text->text;
    return text == nullptr ? INVALID_VALUE : 0;
}

cd_result Machine::device_get_count(int *count) {
    *count = device_count;
    return 0;
}

cd_result Machine::device_get(cd_device *device, int ordinal) {
    if (ordinal < 0 || ordinal >= device_count) return INVALID_DEVICE;
    *device = ordinal;
    return 0;
}

cd_result Machine::device_get_name(char *name, int capacity, cd_device device) {
    if (device < 0 || device >= device_count) return INVALID_DEVICE;
    snprintf(name, (size_t)capacity, "Emulated GPU");
    return 0;
}

cd_result Machine::device_total_mem(size_t *bytes, cd_device device) {
    if (device < 0 || device >= device_count) return INVALID_DEVICE;
    *bytes = capacity;
    return 0;
}

cd_result Machine::device_get_attribute(int *value, int attribute, cd_device device) {
    if (device < 0 || device >= device_count) return INVALID_DEVICE;
    switch (attribute) {
    case CD_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; return 0;
    case CD_ATTRIBUTE_INTEGRATED: *value = 0; return 0;
    case CD_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability_major; return 0;
    case CD_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability_minor; return 0;
    case CD_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = most_shared_bytes(); return 0;
    default:
        return blame(INVALID_VALUE,
                     "the emulator knows no device attribute " + std::to_string(attribute));
    }
}

// As CUDA's programming guide has it for 8.0, 8.6 and 8.9, and 9.0.
int Machine::most_shared_bytes() const {
    if (capability_major == 8) return (capability_minor == 0 ? 163 : 99) << 10;
    return (capability_major < 8 ? 64 : 227) << 10;
}

cd_result Machine::context_retain(cd_context *context, cd_device device) {
    if (device < 0 || device >= device_count) return INVALID_DEVICE;
    contexts++;
    *context = (cd_context)this;
    return 0;
}

cd_result Machine::context_release(cd_device device) {
    if (device < 0 || device >= device_count) return INVALID_DEVICE;
    if (contexts == 0) return blame(INVALID_CONTEXT, "the context is released more often than retained");
    contexts--;
    return 0;
}

// MARK: Allocations

cd_result Machine::mem_get_info(size_t *free_bytes, size_t *total_bytes) {
    *free_bytes = capacity - std::min(capacity, memory.bytes());
    *total_bytes = capacity;
    return 0;
}

cd_result Machine::mem_alloc(cd_address *address, size_t bytes) {
    if (bytes == 0) return blame(INVALID_VALUE, "cuMemAlloc is asked for no bytes");
    allocations++;
    if (allocations_to_failure > 0 && --allocations_to_failure == 0) return OUT_OF_MEMORY;
    if (bytes > capacity - std::min(capacity, memory.bytes())) return OUT_OF_MEMORY;
    void *allocated = memory.allocate(bytes);
    if (allocated == nullptr) return OUT_OF_MEMORY;
    peak_bytes = std::max(peak_bytes, memory.bytes());
    *address = (cd_address)allocated;
    return 0;
}

cd_result Machine::mem_free(cd_address address) {
    if (address == 0) return 0;
    if (cd_result error = drain_all()) return error;
    std::string what = memory.free((void *)address);
    return what.empty() ? 0 : blame(INVALID_VALUE, "cuMemFree: " + what);
}

cd_result Machine::mem_host_alloc(void **address, size_t bytes, unsigned) {
    *address = bytes == 0 ? nullptr : pinned.allocate(bytes);
    return *address == nullptr ? OUT_OF_MEMORY : 0;
}

cd_result Machine::mem_free_host(void *address) {
    std::string what = pinned.free(address);
    return what.empty() ? 0 : blame(INVALID_VALUE, "cuMemFreeHost: " + what);
}

// MARK: Copies

cd_result Machine::copy_up(cd_address to, const void *from, size_t bytes) {
    if (cd_result error = drain_for_default()) return error;
    bytes_up += bytes;
    copies_up++;
    if (!reaches(to, bytes, "a copy to the device")) return INVALID_VALUE;
    memcpy((void *)to, from, bytes);
    return 0;
}

cd_result Machine::copy_down(void *to, cd_address from, size_t bytes) {
    if (cd_result error = drain_for_default()) return error;
    bytes_down += bytes;
    copies_down++;
    if (!reaches(from, bytes, "a copy from the device")) return INVALID_VALUE;
    memcpy(to, (const void *)from, bytes);
    return 0;
}

cd_result Machine::copy_within(cd_address to, cd_address from, size_t bytes) {
    return copy_within_async(to, from, bytes, nullptr);
}

// Of memory that is not pinned the driver makes a copy of its own before it returns.
cd_result Machine::copy_up_async(cd_address to, const void *from, size_t bytes, cd_stream stream) {
    bytes_up += bytes;
    copies_up++;
    bool is_pinned = pinned.holds(from, bytes);
    if (!is_pinned && stream != nullptr && stream->capture != nullptr)
        return blame(STREAM_CAPTURE_UNSUPPORTED, "a graph captures a copy of memory that is not pinned");
    std::vector<unsigned char> staged;
    if (!is_pinned) staged.assign((const unsigned char *)from, (const unsigned char *)from + bytes);
    return enqueue(stream, [=, staged = std::move(staged)](Machine &machine) -> cd_result {
        if (!machine.reaches(to, bytes, "a copy to the device")) return ILLEGAL_ADDRESS;
        if (is_pinned && !machine.pinned.holds(from, bytes))
            return machine.blame(ILLEGAL_ADDRESS, "pinned memory was freed before it was copied");
        memcpy((void *)to, is_pinned ? from : staged.data(), bytes);
        return 0;
    });
}

cd_result Machine::copy_down_async(void *to, cd_address from, size_t bytes, cd_stream stream) {
    bytes_down += bytes;
    copies_down++;
    bool is_pinned = pinned.holds(to, bytes);
    if (!is_pinned && stream != nullptr && stream->capture != nullptr)
        return blame(STREAM_CAPTURE_UNSUPPORTED, "a graph captures a copy to memory that is not pinned");
    cd_result error = enqueue(stream, [=](Machine &machine) -> cd_result {
        if (!machine.reaches(from, bytes, "a copy from the device")) return ILLEGAL_ADDRESS;
        if (is_pinned && !machine.pinned.holds(to, bytes))
            return machine.blame(ILLEGAL_ADDRESS, "pinned memory was freed before it was copied to");
        memcpy(to, (const void *)from, bytes);
        return 0;
    });
    if (error != 0 || is_pinned || stream == nullptr) return error;
    return drain(stream);
}

cd_result Machine::copy_within_async(cd_address to, cd_address from, size_t bytes, cd_stream stream) {
    return enqueue(stream, [=](Machine &machine) -> cd_result {
        if (!machine.reaches(to, bytes, "a copy within the device")
            || !machine.reaches(from, bytes, "a copy within the device"))
            return ILLEGAL_ADDRESS;
        memmove((void *)to, (const void *)from, bytes);
        return 0;
    });
}

cd_result Machine::set_bytes(cd_address to, unsigned char value, size_t count, cd_stream stream) {
    return enqueue(stream, [=](Machine &machine) -> cd_result {
        if (!machine.reaches(to, count, "cuMemsetD8Async")) return ILLEGAL_ADDRESS;
        memset((void *)to, value, count);
        return 0;
    });
}

cd_result Machine::set_words(cd_address to, unsigned value, size_t count, cd_stream stream) {
    if (to % 4 != 0) return blame(INVALID_VALUE, "cuMemsetD32Async is given an odd address");
    return enqueue(stream, [=](Machine &machine) -> cd_result {
        if (!machine.reaches(to, count * 4, "cuMemsetD32Async")) return ILLEGAL_ADDRESS;
        std::fill_n((unsigned *)to, count, value);
        return 0;
    });
}

}  // namespace emulator
