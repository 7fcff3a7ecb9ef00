// The emulator in one file, to try a kernel without Swift:
//
//     clang++ -O1 -std=c++17 -I Tests/CUDAEmulator -fsanitize=thread,alignment,bounds,shift \
//         -fno-sanitize-link-runtime check.cpp && ./a.out
//
// where check.cpp is
//
//     #include "standalone.h"
//     #include "Sources/CKernels/cuda/rms_norm.cu"
//
//     int main() {
//         DeviceArray<float> x(rows * size), y(rows * size);
//         for (...) x[i] = ...;
//         LAUNCH(rms_norm_forward_f32, {rows, 1, 1}, 256, shared_bytes, x, y, rows, epsilon);
//         ... compare y[i] with what it should be ...
//     }
//
// LAUNCH runs the kernel forward, backward and in shuffled orders from the same memory and ends the
// program with a sentence where the results differ in a bit (a race), where a barrier or a warp
// function is not reached by all, or where an allocation or shared memory is overrun. Set
// CUDA_EMULATOR_ORDER to forward, backward or a number (a seed) to run one order.
#pragma once

// The accesses of kernels are watched, not the emulator's own.
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)
#include "accesses.h"
#include "block.h"
#include "context.h"
#include "memory.h"
#include "orders.h"
#pragma clang attribute pop

#include "kernel.h"

#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)
#include "accesses.cpp"
#include "behaviour.cpp"
#include "block.cpp"
#include "context.cpp"
#include "kernel.cpp"
#include "memory.cpp"
#include "orders.cpp"
#include "warp.cpp"
#pragma clang attribute pop

#include <cstdio>
#include <cstdlib>

inline emulator::Memory device_memory;

// An array on the device, and readable here. It begins as numbers that are no numbers.
template <typename T> class DeviceArray {
  public:
    explicit DeviceArray(size_t count)
        : elements((T *)device_memory.allocate(count * sizeof(T))), size(count) {}
    DeviceArray(const DeviceArray &) = delete;
    ~DeviceArray() {
        std::string wrong = device_memory.free(elements);
        if (!wrong.empty()) fprintf(stderr, "%s\n", wrong.c_str());
    }
    operator T *() { return elements; }
    T &operator[](size_t i) {
        if (i >= size) abort();
        return elements[i];
    }
    T &operator[](int i) { return (*this)[(size_t)i]; }
    T &operator[](long i) { return (*this)[(size_t)i]; }
    size_t count() const { return size; }

  private:
    T *elements;
    size_t size;
};

template <auto kernel> struct Launcher;
template <typename... Arguments, void (*kernel)(Arguments...)> struct Launcher<kernel> {
    static void launch(const char *name, emulator::Dimensions grid, emulator::Dimensions block,
                       size_t shared_bytes, Arguments... arguments) {
        void *parameters[] = {(void *)&arguments...};
        std::string wrong = emulator::run_in_all_orders(
            {name, &emulator::Entry<kernel>::call, parameters, grid, block, shared_bytes}, device_memory,
            device_memory.pointers());
        if (wrong.empty()) return;
        fprintf(stderr, "%s\n", wrong.c_str());
        exit(1);
    }
};

#define LAUNCH(kernel, ...) Launcher<&kernel>::launch(#kernel, __VA_ARGS__)
