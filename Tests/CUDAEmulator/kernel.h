// What a file needs that makes kernels known to the emulator: CUDA's C++, our prelude, and the table
// of kernels.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "device.h"

#include "../../Sources/CKernels/cuda/prelude.cuh"

namespace emulator {

struct Parameter {
    size_t bytes;
    bool is_pointer, is_float;
};

// A kernel as the driver sees it: a name, and parameters by address.
struct Kernel {
    std::string name;
    void (*entry)(void **parameters);
    std::vector<Parameter> parameters;
};

// Null where no kernel has the name.
const Kernel *kernel_named(const std::string &name);
void register_kernel(Kernel kernel);

template <auto kernel> struct Entry;
template <typename... Arguments, void (*kernel)(Arguments...)> struct Entry<kernel> {
    static void call(void **parameters) { call(parameters, std::index_sequence_for<Arguments...>()); }
    template <size_t... i> static void call(void **parameters, std::index_sequence<i...>) {
        kernel(*(Arguments *)parameters[i]...);
    }
    static Kernel named(const std::string &name) {
        return {name, &call, {Parameter{sizeof(Arguments), std::is_pointer_v<Arguments>,
                                        std::is_floating_point_v<Arguments>}...}};
    }
};

struct Registration {
    Registration(std::vector<Kernel> kernels) {
        for (Kernel &kernel : kernels) register_kernel(std::move(kernel));
    }
};

}  // namespace emulator

#define EMULATED(kernel) emulator::Entry<&kernel>::named(#kernel)
