// Modules, functions and launches. Watched: a kernel that is not known, more shared memory than was
// asked for, pointers to what is not allocated, and all that `run` finds.
#include "machine.h"
#include "orders.h"

#include <cstring>

namespace emulator {

namespace {
// What a device of this capability can run of code that NVRTC made for an architecture, as in "sm_90a".
bool fits(const std::string &architecture, int major, int minor) {
    int number = atoi(architecture.c_str() + 3);
    bool is_exact = architecture.back() == 'a';
    return number / 10 == major && (is_exact ? number % 10 == minor : number % 10 <= minor);
}

// One kernel runs at a time, whichever machine asks.
std::mutex processor;

std::string text(const std::string &kernel) { return "kernel " + kernel; }
}  // namespace

cd_result Machine::module_load_data(cd_module *module, const void *image) {
    // See compile_program.
    std::string words = (const char *)image, begin = "emulated ";
    size_t space = words.find(' ', begin.size());
    if (words.compare(0, begin.size(), begin) != 0 || space == std::string::npos)
        return blame(INVALID_IMAGE, "cuModuleLoadData is given what the emulated NVRTC has not made");
    std::string architecture = words.substr(begin.size(), space - begin.size());
    if (!fits(architecture, capability_major, capability_minor)) return NO_BINARY;
    *module = modules.make(words.substr(space + 1));
    return 0;
}

cd_result Machine::module_unload(cd_module module) {
    return modules.destroy(module) ? 0 : blame(INVALID_HANDLE, "a module is unloaded that is none");
}

cd_result Machine::module_get_function(cd_function *function, cd_module module, const char *name) {
    if (!modules.has(module)) return blame(INVALID_HANDLE, "a function is asked of no module");
    const Kernel *kernel = kernel_named(name);
    if (kernel == nullptr || kernel->file + ".cu" != module->file)
        return blame(NOT_FOUND, "the emulator knows no kernel " + std::string(name) + " of "
                                    + module->file + "; kernels/*.cpp of the emulator name them");
    cd_function_object &known = functions[name];
    known.kernel = kernel;
    *function = &known;
    return 0;
}

cd_result Machine::func_set_attribute(cd_function function, int attribute, int value) {
    if (attribute != CD_FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES)
        return blame(INVALID_VALUE, "the emulator knows no attribute " + std::to_string(attribute)
                                        + " of functions");
    if (value < 0 || value > most_shared_bytes())
        return blame(INVALID_VALUE, text(function->kernel->name) + " is to have "
                                        + std::to_string(value) + " bytes of shared memory of "
                                        + std::to_string(most_shared_bytes()));
    function->most_shared = value;
    return 0;
}

cd_result Machine::launch_kernel(cd_function function, unsigned grid_x, unsigned grid_y,
                                 unsigned grid_z, unsigned block_x, unsigned block_y,
                                 unsigned block_z, unsigned shared_bytes, cd_stream stream,
                                 void **parameters, void **extra) {
    if (launches_to_failure > 0 && --launches_to_failure == 0) return sticky = launch_error;
    const Kernel &kernel = *function->kernel;
    if (extra != nullptr) return blame(INVALID_VALUE, "the emulator takes no extra parameters");
    if (shared_bytes > (unsigned)function->most_shared)
        return blame(INVALID_VALUE, text(kernel.name) + " is launched with "
                                        + std::to_string(shared_bytes)
                                        + " bytes of shared memory; it may have "
                                        + std::to_string(function->most_shared));
    bool captures = stream != nullptr && streams.has(stream) && stream->capture != nullptr;
    LaunchRecord record = {kernel.name, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z},
                           shared_bytes, {}, captures};
    std::string impossible = impossible_launch({kernel.name, nullptr, nullptr, record.grid,
                                                record.block, shared_bytes});
    if (!impossible.empty()) return blame(INVALID_VALUE, impossible);
    for (size_t i = 0; i < kernel.parameters.size(); i++) {
        uint64_t value = 0;
        memcpy(&value, parameters[i], kernel.parameters[i].bytes);
        record.arguments.push_back(value);
    }
    if (captures) stream->capture->launches.push_back(record);
    else launches.push_back(record);
    return enqueue(stream, [kernel = &kernel, record](Machine &machine) {
        return machine.run_launch(*kernel, record);
    });
}

// The first pointer that points nowhere, in one sentence.
std::string Machine::argument_blame(const Kernel &kernel, const LaunchRecord &record) const {
    for (size_t i = 0; i < record.arguments.size(); i++) {
        auto *address = (const void *)record.arguments[i];
        if (kernel.parameters[i].is_pointer && address != nullptr && !memory.holds(address, 0))
            return text(kernel.name) + " is given a pointer to no allocation of the device (argument "
                + std::to_string(i) + ")";
    }
    return "";
}

cd_result Machine::run_launch(const Kernel &kernel, const LaunchRecord &record) {
    std::string what = argument_blame(kernel, record);
    if (!what.empty()) return break_down(ILLEGAL_ADDRESS, what);
    std::vector<uint64_t> arguments = record.arguments;
    std::vector<void *> parameters;
    std::vector<const void *> pointers;
    for (uint64_t &argument : arguments) {
        parameters.push_back(&argument);
        if (kernel.parameters[parameters.size() - 1].is_pointer)
            pointers.push_back((const void *)argument);
    }
    Launch launch = {kernel.name, kernel.entry, parameters.data(), record.grid, record.block,
                     record.shared_bytes};
    std::lock_guard<std::mutex> lock(processor);
    if (compares_orders) {
        what = run_in_all_orders(launch, memory, pointers);
    } else {
        what = run_watched(launch, order, memory, pointers);
        if (what.empty()) what = memory.overrun();
        if (!what.empty() && what.find(kernel.name) == std::string::npos)
            what = text(kernel.name) + ": " + what;
    }
    return what.empty() ? 0 : break_down(LAUNCH_FAILED, what);
}

}  // namespace emulator
