// NVRTC. Nothing is compiled: the kernels of the files that are known were, with the emulator. What
// is told are a file that is not known, an include that was not given, and `#error`.
#include "machine.h"

#include <cstring>

namespace emulator {

namespace {
enum { INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6 };
const int supported[] = {75, 80, 86, 89, 90};

std::string stem(const std::string &file) { return file.substr(0, file.rfind('.')); }

// What follows each `directive` at the begin of a line, to the line's end.
std::vector<std::string> directives(const std::string &source, const std::string &directive) {
    std::vector<std::string> found;
    size_t at = 0;
    while ((at = source.find(directive, at)) != std::string::npos) {
        size_t begin = at + directive.size(), end = source.find('\n', begin);
        if (at == 0 || source[at - 1] == '\n') found.push_back(source.substr(begin, end - begin));
        at = begin;
    }
    return found;
}
}  // namespace

int Machine::compiler_version(int *major, int *minor) {
    *major = 13;
    *minor = 0;
    return 0;
}

const char *Machine::compiler_error(int result) {
    switch (result) {
    case 0: return "NVRTC_SUCCESS";
    case INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case COMPILATION: return "NVRTC_ERROR_COMPILATION";
    default: return "NVRTC_ERROR unknown";
    }
}

int Machine::architecture_count(int *count) {
    *count = sizeof(supported) / sizeof(*supported);
    return 0;
}

int Machine::architectures(int *architectures) {
    memcpy(architectures, supported, sizeof(supported));
    return 0;
}

int Machine::create_program(cd_program *program, const char *source, const char *name,
                            int header_count, const char *const *, const char *const *header_names) {
    *program = programs.make(name == nullptr ? "" : name, source);
    for (const std::string &include : directives(source, "#include ")) {
        bool is_given = false;
        for (int i = 0; i < header_count; i++)
            is_given |= include == "\"" + std::string(header_names[i]) + "\"";
        if (!is_given)
            (*program)->log += (*program)->file + ": catastrophic error: cannot open source file "
                + include + "\n";
    }
    for (const std::string &error : directives(source, "#error "))
        (*program)->log += (*program)->file + ": error: #error directive: " + error + "\n";
    return 0;
}

int Machine::destroy_program(cd_program *program) {
    if (!programs.destroy(*program)) return INVALID_PROGRAM;
    *program = nullptr;
    return 0;
}

int Machine::compile_program(cd_program program, int option_count, const char *const *options) {
    compilations++;
    std::string architecture, option = "--gpu-architecture=";
    for (int i = 0; i < option_count; i++)
        if (strncmp(options[i], option.c_str(), option.size()) == 0)
            architecture = options[i] + option.size();
    if (architecture.compare(0, 3, "sm_") != 0) {
        blame(0, "NVRTC is not told the architecture; it makes PTX then, which is not wanted");
        return INVALID_OPTION;
    }
    if (program->log.empty() && emulator_kernels_of(stem(program->file).c_str()) == nullptr)
        program->log = program->file + ": error: the emulator runs no kernel of this file; it wants "
            + "kernels/" + stem(program->file) + ".cpp\n";
    if (!program->log.empty()) return COMPILATION;
    program->code = "emulated " + architecture + " " + program->file;
    return 0;
}

int Machine::log_size(cd_program program, size_t *bytes) {
    *bytes = program->log.size() + 1;
    return 0;
}
int Machine::log(cd_program program, char *log) {
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return 0;
}
int Machine::code_size(cd_program program, size_t *bytes) {
    *bytes = program->code.size() + 1;
    return 0;
}
int Machine::code(cd_program program, char *code) {
    memcpy(code, program->code.c_str(), program->code.size() + 1);
    return 0;
}

}  // namespace emulator
