// A GPU that is none: the driver, NVRTC and cuBLASLt as tables of functions behind which a CPU does
// the work and watches its user. For tests; see the head of each source file for what is watched.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cublaslt.h"
#include "cuda_driver.h"
#include "nvrtc.h"

#pragma clang assume_nonnull begin

#ifdef __cplusplus
extern "C" {
#endif

/// One emulated machine with one device. Several can be open; they share nothing.
typedef struct emulator_machine emulator_machine;

/// The order in which the threads of a block run between two barriers, and the blocks of a launch.
typedef enum emulator_order {
    emulator_forward,
    emulator_backward,
    /// By a seed.
    emulator_shuffled,
} emulator_order;

/// One launch of a kernel, as the driver was asked for it. The texts live until the machine closes.
typedef struct emulator_launch {
    const char *kernel;
    uint32_t grid[3];
    uint32_t block[3];
    uint32_t shared_bytes;
    /// The values of the arguments one after another, each at a multiple of 8 bytes.
    const uint8_t *arguments;
    size_t argument_count;
    /// Whether a graph brought it.
    bool of_graph;
} emulator_launch;

// MARK: Machines

/// A machine with a device of capability 9.0, CUDA 13.0 and 4 GiB. Waits while 16 are open; null when
/// none of them was closed for a minute.
emulator_machine *_Nullable emulator_open(void);
/// The functions of the machine's three libraries. They give "deinitialized" after it was closed.
void emulator_tables(emulator_machine *machine, cd_cuda *driver, cd_nvrtc *compiler,
                     cd_cublaslt *products);
/// All that was left on the machine is given back.
void emulator_close(emulator_machine *machine);

void emulator_set_capability(emulator_machine *machine, int major, int minor);
/// 1000 * major + 10 * minor of the newest CUDA that the driver serves.
void emulator_set_driver_version(emulator_machine *machine, int version);
void emulator_set_device_count(emulator_machine *machine, int count);
/// Allocations beyond so many bytes in all fail.
void emulator_set_memory(emulator_machine *machine, size_t bytes);

// MARK: How it runs

void emulator_set_order(emulator_machine *machine, emulator_order order, uint64_t seed);
/// Runs each launch in several orders from the same memory and fails where the results differ.
/// Copies all of the device's memory several times a launch.
void emulator_compare_orders(emulator_machine *machine, bool compares);
/// Runs what is given to a stream at once; else, as from the start, as late as a device may: when
/// somebody waits for it.
void emulator_run_at_once(emulator_machine *machine, bool at_once);

// MARK: Failures on purpose

/// The n-th allocation from now fails (1: the next).
void emulator_fail_allocation(emulator_machine *machine, int n);
/// The n-th launch from now fails with this error, and all calls after it, as on a device.
void emulator_fail_launch(emulator_machine *machine, int n, cd_result error);
/// The n-th matrix product from now fails with this status.
void emulator_fail_product(emulator_machine *machine, int n, int status);

// MARK: What came of it

/// What the machine's user did wrong first, in one sentence; empty where nothing. It lives until the
/// machine closes or the next wrong.
const char *emulator_wrong(emulator_machine *machine);
/// What is not given back: bytes of memory, streams, events, modules, graphs, descriptions of
/// products. One sentence; empty where nothing is left. It lives as emulator_wrong's.
const char *emulator_left(emulator_machine *machine);

size_t emulator_bytes(emulator_machine *machine);
size_t emulator_peak_bytes(emulator_machine *machine);
/// Allocations of device memory so far.
size_t emulator_allocations(emulator_machine *machine);
/// Bytes of copies to and from the device so far.
size_t emulator_bytes_up(emulator_machine *machine);
size_t emulator_bytes_down(emulator_machine *machine);
/// How many these copies were.
size_t emulator_copies_up(emulator_machine *machine);
size_t emulator_copies_down(emulator_machine *machine);
size_t emulator_products(emulator_machine *machine);
size_t emulator_compilations(emulator_machine *machine);
size_t emulator_graph_launches(emulator_machine *machine);
size_t emulator_launches(emulator_machine *machine);
/// The launches in the order of the calls, from 0.
emulator_launch emulator_launch_at(emulator_machine *machine, size_t index);
/// Forgets the launches and sets the counts above, but the bytes that are in use, to zero.
void emulator_reset_counts(emulator_machine *machine);

/// Whether the emulator runs kernels of the file with this stem, and what they are called: a list
/// with commas, or null.
const char *_Nullable emulator_kernels_of(const char *stem);

#ifdef __cplusplus
}
#endif

#pragma clang assume_nonnull end
