// The worker threads: started on first use, asleep when idle.
#pragma once
#include <stddef.h>

// How many threads take part, the caller's included. `count` 0 means one for each online core.
// May be called again while no op runs.
void ck_set_threads(int count);
int ck_threads(void);

// Calls body(context, task) once for each task in 0..<tasks, on any thread, and returns when all
// are done. Tasks are handed out in order, one at a time. A call from inside a task, or one while
// another thread's call runs, does its tasks on the calling thread.
void ck_parallel(long tasks, void (*_Nonnull body)(void *_Nullable context, long task),
                 void *_Nullable context);

// Scratch memory of the calling thread, 64-byte aligned, kept between calls and grown as needed.
// `slot` 0...7 names independent pieces, so that an op can hold several. Its content is undefined.
void *_Nonnull ck_scratch(int slot, size_t bytes);
// Bytes of scratch held by all threads together.
size_t ck_scratch_total(void);
