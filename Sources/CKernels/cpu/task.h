// One body of a task, compiled for every instruction set; the set in use is chosen at each call.
#pragma once
#include "../include/parallel.h"
#include "isa.h"

// Below this many elements a task is not worth handing to another thread.
enum { CK_TASK_ELEMENTS = 16384 };

// Given `CK_INLINE void name(void *context, long task)`, defines
// `static void name_run(long tasks, void *context)`.
#if CK_HAS_X86
#define CK_TASK(name)                                                                              \
    static void name##_portable(void *context, long task) { name(context, task); }                 \
    CK_TARGET_AVX2 static void name##_avx2(void *context, long task) { name(context, task); }      \
    CK_TARGET_AVX512 static void name##_avx512(void *context, long task) { name(context, task); }  \
    static void name##_run(long tasks, void *context) {                                            \
        switch (ck_isa_in_use()) {                                                                 \
        case CK_ISA_AVX512: ck_parallel(tasks, name##_avx512, context); break;                     \
        case CK_ISA_AVX2: ck_parallel(tasks, name##_avx2, context); break;                         \
        default: ck_parallel(tasks, name##_portable, context); break;                              \
        }                                                                                          \
    }
#else
#define CK_TASK(name)                                                                              \
    static void name##_portable(void *context, long task) { name(context, task); }                 \
    static void name##_run(long tasks, void *context) {                                            \
        ck_parallel(tasks, name##_portable, context);                                              \
    }
#endif

// A range of elements or rows: task `task` of those that share `total` in pieces of `piece`.
typedef struct ck_range {
    long begin, end;
} ck_range;

CK_INLINE ck_range ck_piece(long task, long piece, long total) {
    return (ck_range){task * piece, ck_min((task + 1) * piece, total)};
}

// How many rows of `row` elements make one task.
CK_INLINE long ck_rows_per_task(long row) { return ck_max(1, CK_TASK_ELEMENTS / ck_max(1, row)); }
