// Finds races: the same launch in several orders of its threads must leave the same bits.
#pragma once

#include <string>

#include "block.h"
#include "memory.h"

namespace emulator {

// Runs the launch once, its accesses watched.
std::string run_watched(const Launch &launch, Order order, Memory &memory,
                        const std::vector<const void *> &arguments);

// Runs the launch forward, backward and in shuffled orders, each from the memory as it is now, or in
// the one order that CUDA_EMULATOR_ORDER names. The allocations that `arguments` point into are put
// back and compared. What is wrong, in one sentence, or nothing.
std::string run_in_all_orders(const Launch &launch, Memory &memory,
                              const std::vector<const void *> &arguments);

}  // namespace emulator
