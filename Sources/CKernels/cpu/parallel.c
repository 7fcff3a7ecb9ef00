// A pool of worker threads that spin for a moment between ops and then sleep.
//
// One 64-bit word, the ticket, holds the call's number (upper half) and how many of its tasks
// nobody has claimed yet (lower half). A thread claims a task by lowering it with a compare and
// swap, so a late worker can never claim a task of one call with the function of another: the swap
// succeeds only while that very call still has unclaimed tasks, and the function, context and
// count are rewritten only after all of them are done.
#if defined(__linux__)
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#endif
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../include/parallel.h"
#include "isa.h"

enum { MOST_THREADS = 256, SCRATCH_SLOTS = 8, CACHE_LINE = 64 };
// Longer than the pause between two ops of a forward pass, too short to be seen as CPU use.
static const long SPIN_NANOSECONDS = 40000;

typedef void (*task_body)(void *, long);

static struct {
    // Read and written by every thread, each on a cache line of its own.
    alignas(CACHE_LINE) _Atomic uint64_t ticket;
    alignas(CACHE_LINE) _Atomic uint32_t done;       // tasks finished; the caller sleeps on it
    alignas(CACHE_LINE) _Atomic uint32_t generation; // number of the call; workers sleep on it
    alignas(CACHE_LINE) _Atomic uint32_t sleepers;   // workers asleep on `generation`
    _Atomic uint32_t caller_sleeps;
    // The running call. Atomic because a late worker may read them while they are rewritten.
    alignas(CACHE_LINE) _Atomic task_body body;
    void *_Atomic context;
    _Atomic uint32_t tasks;
    // The pool itself; changed only while `busy` is held.
    atomic_flag busy;
    atomic_bool quit;
    _Atomic int count; // 0: not yet chosen
    int started;
    pthread_t workers[MOST_THREADS];
} pool = {.busy = ATOMIC_FLAG_INIT};

static thread_local bool inside_task;

// MARK: Sleeping

#if defined(__linux__)
static void sleep_while(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

static void wake(_Atomic uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}
#else
static pthread_mutex_t sleep_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_condition = PTHREAD_COND_INITIALIZER;

static void sleep_while(_Atomic uint32_t *word, uint32_t value) {
    pthread_mutex_lock(&sleep_mutex);
    while (atomic_load(word) == value) pthread_cond_wait(&sleep_condition, &sleep_mutex);
    pthread_mutex_unlock(&sleep_mutex);
}

static void wake(_Atomic uint32_t *word, int count) {
    (void)word, (void)count;
    pthread_mutex_lock(&sleep_mutex);
    pthread_cond_broadcast(&sleep_condition);
    pthread_mutex_unlock(&sleep_mutex);
}
#endif

static void pause_briefly(void) {
#if CK_HAS_X86
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

// Spins while *word == value, for SPIN_NANOSECONDS at most. Returns whether the word has changed.
static bool spin_while(_Atomic uint32_t *word, uint32_t value) {
    long end = now() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
            pause_briefly();
        }
    } while (now() < end);
    return false;
}

// MARK: Tasks

// Claims and runs tasks of call `generation` until none is left, then reports how many it ran.
static void run_tasks(uint32_t generation) {
    task_body body = atomic_load_explicit(&pool.body, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool.context, memory_order_relaxed);
    uint32_t tasks = atomic_load_explicit(&pool.tasks, memory_order_relaxed);
    uint32_t finished = 0;
    uint64_t ticket = atomic_load(&pool.ticket);
    inside_task = true;
    while ((uint32_t)(ticket >> 32) == generation && (uint32_t)ticket != 0) {
        if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, ticket - 1)) continue;
        body(context, (long)(tasks - (uint32_t)ticket));
        finished++;
        ticket = atomic_load(&pool.ticket);
    }
    inside_task = false;
    if (finished == 0) return;
    uint32_t done = atomic_fetch_add(&pool.done, finished) + finished;
    if (done == tasks && atomic_load(&pool.caller_sleeps)) wake(&pool.done, 1);
}

static void *work(void *argument) {
    uint32_t seen = (uint32_t)(uintptr_t)argument;
    for (;;) {
        if (!spin_while(&pool.generation, seen)) {
            atomic_fetch_add(&pool.sleepers, 1);
            while (atomic_load(&pool.generation) == seen) sleep_while(&pool.generation, seen);
            atomic_fetch_sub(&pool.sleepers, 1);
        }
        if (atomic_load(&pool.quit)) return nullptr;
        seen = atomic_load(&pool.generation);
        run_tasks(seen);
    }
}

// Needs `busy`. Signals stay with the program's own threads.
static void start_workers(int count) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    void *seen = (void *)(uintptr_t)atomic_load(&pool.generation);
    while (pool.started < count - 1) {
        if (pthread_create(&pool.workers[pool.started], nullptr, work, seen) != 0) break;
        pool.started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Needs `busy`.
static void stop_workers(void) {
    atomic_store(&pool.quit, true);
    atomic_fetch_add(&pool.generation, 1);
    wake(&pool.generation, INT_MAX);
    for (int i = 0; i < pool.started; i++) pthread_join(pool.workers[i], nullptr);
    pool.started = 0;
    atomic_store(&pool.quit, false);
}

static int online_cores(void) {
#if defined(__linux__)
    cpu_set_t allowed; // a container or taskset may grant fewer than are online
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (int)cores;
}

void ck_set_threads(int count) {
    if (count <= 0) count = online_cores();
    if (count > MOST_THREADS) count = MOST_THREADS;
    while (atomic_flag_test_and_set(&pool.busy)) sched_yield();
    if (count - 1 < pool.started) stop_workers();
    atomic_store(&pool.count, count);
    atomic_flag_clear(&pool.busy);
}

int ck_threads(void) {
    int count = atomic_load(&pool.count);
    if (count != 0) return count;
    int cores = online_cores();
    if (cores > MOST_THREADS) cores = MOST_THREADS;
    int unset = 0;
    return atomic_compare_exchange_strong(&pool.count, &unset, cores) ? cores : unset;
}

static void run_inline(long tasks, task_body body, void *context) {
    bool before = inside_task;
    inside_task = true;
    for (long task = 0; task < tasks; task++) body(context, task);
    inside_task = before;
}

void ck_parallel(long tasks, void (*body)(void *, long), void *context) {
    int threads = ck_threads();
    if (tasks <= 1 || threads == 1 || inside_task || tasks > UINT32_MAX ||
        atomic_flag_test_and_set(&pool.busy)) {
        run_inline(tasks, body, context);
        return;
    }
    if (pool.started < threads - 1) start_workers(threads);
    atomic_store_explicit(&pool.body, body, memory_order_relaxed);
    atomic_store_explicit(&pool.context, context, memory_order_relaxed);
    atomic_store_explicit(&pool.tasks, (uint32_t)tasks, memory_order_relaxed);
    atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
    uint32_t generation = atomic_load(&pool.generation) + 1;
    atomic_store(&pool.ticket, (uint64_t)generation << 32 | (uint32_t)tasks);
    atomic_store(&pool.generation, generation);
    if (atomic_load(&pool.sleepers) > 0) {
        wake(&pool.generation, (int)ck_min(tasks - 1, MOST_THREADS));
    }

    run_tasks(generation);
    for (;;) {
        uint32_t done = atomic_load(&pool.done);
        if (done == (uint32_t)tasks) break;
        if (spin_while(&pool.done, done)) continue;
        atomic_store(&pool.caller_sleeps, 1);
        if (atomic_load(&pool.done) == done) sleep_while(&pool.done, done);
        atomic_store(&pool.caller_sleeps, 0);
    }
    atomic_flag_clear(&pool.busy);
}

// MARK: Scratch

typedef struct {
    void *data[SCRATCH_SLOTS];
    size_t bytes[SCRATCH_SLOTS];
    bool registered;
} scratch_slots;

static thread_local scratch_slots scratch;
static _Atomic size_t scratch_total;
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void free_scratch(void *slots) {
    scratch_slots *own = slots;
    for (int slot = 0; slot < SCRATCH_SLOTS; slot++) {
        atomic_fetch_sub(&scratch_total, own->bytes[slot]);
        free(own->data[slot]);
        own->data[slot] = nullptr;
        own->bytes[slot] = 0;
    }
    own->registered = false;
}

static void create_scratch_key(void) { pthread_key_create(&scratch_key, free_scratch); }

void *ck_scratch(int slot, size_t bytes) {
    const size_t page = 4096, huge_page = (size_t)2 << 20;
    if (bytes <= scratch.bytes[slot] && scratch.data[slot] != nullptr) return scratch.data[slot];
    if (!scratch.registered) { // so that it is freed when the thread ends
        pthread_once(&scratch_once, create_scratch_key);
        pthread_setspecific(scratch_key, &scratch);
        scratch.registered = true;
    }
    size_t alignment = bytes >= huge_page ? huge_page : page;
    size_t size = ck_max(bytes, 1);
    size = (size + alignment - 1) / alignment * alignment;
    free(scratch.data[slot]);
    scratch.data[slot] = aligned_alloc(alignment, size);
    if (scratch.data[slot] == nullptr) {
        fprintf(stderr, "out of memory: a kernel's scratch of %zu bytes\n", size);
        abort();
    }
#if defined(__linux__)
    if (alignment == huge_page) madvise(scratch.data[slot], size, MADV_HUGEPAGE);
#endif
    atomic_fetch_add(&scratch_total, size - scratch.bytes[slot]);
    scratch.bytes[slot] = size;
    return scratch.data[slot];
}

size_t ck_scratch_total(void) { return atomic_load(&scratch_total); }
