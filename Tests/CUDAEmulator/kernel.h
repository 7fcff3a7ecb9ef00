// What a file needs that makes kernels known to the emulator: CUDA's C++, our prelude, and the table
// of kernels.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "device.h"

#include "../../Sources/CKernels/cuda/prelude.cuh"

// Instances of one macro do not all use what they are given, an aggregate need not be named whole, and
// indices of threads are unsigned.
#pragma clang diagnostic ignored "-Wunused-parameter"
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#pragma clang diagnostic ignored "-Wsign-compare"
// What cannot be unrolled here is no fault of the kernel's.
#pragma clang diagnostic ignored "-Wpass-failed"

namespace emulator {

struct Parameter {
    size_t bytes;
    bool is_pointer, is_float;
};

// A kernel as the driver sees it: a name, and parameters by address.
struct Kernel {
    std::string file, name;
    void (*entry)(void **parameters);
    std::vector<Parameter> parameters;
};

// Null where no kernel has the name.
const Kernel *kernel_named(const std::string &name);

template <auto kernel> struct Entry;
template <typename... Arguments, void (*kernel)(Arguments...)> struct Entry<kernel> {
    static void call(void **parameters) { call(parameters, std::index_sequence_for<Arguments...>()); }
    template <size_t... i> static void call(void **parameters, std::index_sequence<i...>) {
        kernel(*(Arguments *)parameters[i]...);
    }
    static Kernel nameless() {
        return {"", "", &call, {Parameter{sizeof(Arguments), std::is_pointer_v<Arguments>,
                                          std::is_floating_point_v<Arguments>}...}};
    }
};

template <auto... kernels> std::vector<Kernel> entries() { return {Entry<kernels>::nameless()...}; }

// Makes kernels known as those of the file STEM.cu, where the caller's file is STEM.cpp. `names` are
// theirs, with commas.
void register_kernels(const std::string &path, const std::string &names, std::vector<Kernel> kernels);

}  // namespace emulator

// Names all kernels of the file that was included. One that is left out is not used then, which the
// compiler tells.
#define EMULATED_KERNELS(...)                                                                \
    [[maybe_unused]] static const bool are_registered =                                      \
        (emulator::register_kernels(__FILE__, #__VA_ARGS__, emulator::entries<__VA_ARGS__>()), true);
