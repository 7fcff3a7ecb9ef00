// A switch is a dozen instructions: a test makes millions of them, and ucontext's asks the kernel for
// the signal mask each time.
#include "context.h"

#include <cstdint>
#include <cstring>

#if defined(__APPLE__)
#define SYMBOL "_emulator_switch_stack"
#else
#define SYMBOL "emulator_switch_stack"
#endif

#if defined(__x86_64__)

asm(".text\n"
    ".globl " SYMBOL "\n" SYMBOL ":\n"
    "  pushq %rbp\n"
    "  pushq %rbx\n"
    "  pushq %r12\n"
    "  pushq %r13\n"
    "  pushq %r14\n"
    "  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n"
    "  popq %r14\n"
    "  popq %r13\n"
    "  popq %r12\n"
    "  popq %rbx\n"
    "  popq %rbp\n"
    "  retq\n");

// Six registers, then the address that the switch returns to; a function begins with its stack
// pointer 8 below a multiple of 16.
enum { SAVED_WORDS = 6, RETURN_WORD = 6, FRAME_WORDS = 8 };

#elif defined(__aarch64__)

asm(".text\n"
    ".globl " SYMBOL "\n"
    ".p2align 2\n" SYMBOL ":\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp, #0]\n"
    "  stp x21, x22, [sp, #16]\n"
    "  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n"
    "  stp x27, x28, [sp, #64]\n"
    "  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n"
    "  stp d10, d11, [sp, #112]\n"
    "  stp d12, d13, [sp, #128]\n"
    "  stp d14, d15, [sp, #144]\n"
    "  mov x9, sp\n"
    "  str x9, [x0]\n"
    "  mov sp, x1\n"
    "  ldp x19, x20, [sp, #0]\n"
    "  ldp x21, x22, [sp, #16]\n"
    "  ldp x23, x24, [sp, #32]\n"
    "  ldp x25, x26, [sp, #48]\n"
    "  ldp x27, x28, [sp, #64]\n"
    "  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n"
    "  ldp d10, d11, [sp, #112]\n"
    "  ldp d12, d13, [sp, #128]\n"
    "  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n"
    "  ret\n");

// Twenty registers; the link register, which the switch returns to, is the twelfth.
enum { RETURN_WORD = 11, FRAME_WORDS = 20 };

#else
#error "the emulator has no stack switch for this processor"
#endif

void *emulator::prepared_stack(void *top, void (*entry)()) {
    uintptr_t *frame = (uintptr_t *)top - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof(*frame));
    frame[RETURN_WORD] = (uintptr_t)entry;
    return frame;
}
