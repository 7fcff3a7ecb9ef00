#include "kernel.h"

#include <map>

namespace emulator {

namespace {
// Filled before main() begins.
struct Table {
    std::map<std::string, Kernel> kernels;
    std::map<std::string, std::string> names_of_files;
};
Table &table() {
    static Table once;
    return once;
}

std::string stem(const std::string &path) {
    size_t slash = path.rfind('/') + 1;
    return path.substr(slash, path.rfind('.') - slash);
}

// The parts between the commas, without blanks.
std::vector<std::string> parts(const std::string &list) {
    std::vector<std::string> found(1);
    for (char c : list) {
        if (c == ',') found.emplace_back();
        else if (c != ' ' && c != '\n') found.back() += c;
    }
    return found;
}
}  // namespace

const Kernel *kernel_named(const std::string &name) {
    auto found = table().kernels.find(name);
    return found == table().kernels.end() ? nullptr : &found->second;
}

void register_kernels(const std::string &path, const std::string &names, std::vector<Kernel> kernels) {
    std::vector<std::string> each = parts(names);
    for (size_t i = 0; i < kernels.size(); i++) {
        kernels[i].file = stem(path);
        kernels[i].name = each[i];
        table().kernels[each[i]] = kernels[i];
    }
    table().names_of_files[stem(path)] = names;
}

const char *kernels_of(const char *file) {
    auto found = table().names_of_files.find(file);
    return found == table().names_of_files.end() ? nullptr : found->second.c_str();
}

}  // namespace emulator

extern "C" const char *emulator_kernels_of(const char *stem) { return emulator::kernels_of(stem); }
