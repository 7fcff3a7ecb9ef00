// Switching between stacks: what fibers are made of.
#pragma once

namespace emulator {

// Saves the registers that a call preserves on the running stack, its pointer in `*from`, and goes on
// where the stack `to` was left.
extern "C" void emulator_switch_stack(void **from, void *to);

// What to switch to so that `entry` starts on the empty stack that ends at `top` (16-byte aligned).
// `entry` must not return.
void *prepared_stack(void *top, void (*entry)());

}  // namespace emulator
