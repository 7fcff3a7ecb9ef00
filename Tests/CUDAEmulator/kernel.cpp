#include "kernel.h"

#include <map>

namespace emulator {

namespace {
// Filled before main() begins.
std::map<std::string, Kernel> &table() {
    static std::map<std::string, Kernel> kernels;
    return kernels;
}
}  // namespace

const Kernel *kernel_named(const std::string &name) {
    auto found = table().find(name);
    return found == table().end() ? nullptr : &found->second;
}

void register_kernel(Kernel kernel) {
    std::string name = kernel.name;
    table().emplace(name, std::move(kernel));
}

}  // namespace emulator
