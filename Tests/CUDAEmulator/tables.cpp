// The tables are functions without a state of their own: each machine has a slot, and each slot has
// its functions.
#include <atomic>
#include <chrono>
#include <thread>

#include "machine.h"

namespace emulator {

namespace {

enum { SLOTS = 16 };
std::atomic<Machine *> machines[SLOTS];
// The number of the machine whose context is this thread's current one, for each slot.
thread_local uint64_t current[SLOTS];

// What a call asks for before it does something.
enum class Needs { nothing, driver, context };

// The machine of a slot, locked, or why the call cannot be.
struct Entry {
    Machine *machine;
    cd_result error = 0;

    Entry(int slot, Needs needs) : machine(machines[slot]) {
        if (machine == nullptr) {
            error = DEINITIALIZED;
            return;
        }
        machine->mutex.lock();
        if (needs != Needs::nothing && !machine->is_initialized)
            error = machine->blame(NOT_INITIALIZED, "the driver is called before cuInit");
        else if (needs == Needs::context && current[slot] != machine->number)
            error = machine->blame(INVALID_CONTEXT,
                                   "the driver is called by a thread that has no current context");
        else if (needs == Needs::context)
            error = machine->sticky;
    }
    ~Entry() {
        if (machine != nullptr) machine->mutex.unlock();
    }
};

template <int slot, Needs needs, auto method> struct Function;
template <int slot, Needs needs, typename Result, typename... Arguments,
          Result (Machine::*method)(Arguments...)>
struct Function<slot, needs, method> {
    static Result call(Arguments... arguments) {
        Entry entry(slot, needs);
        if (entry.error != 0) {
            if constexpr (std::is_pointer_v<Result>) return nullptr;
            else return (Result)entry.error;
        }
        return (entry.machine->*method)(arguments...);
    }
};

template <int slot> cd_result set_current(cd_context context) {
    Machine *machine = machines[slot];
    if (machine == nullptr) return DEINITIALIZED;
    if (context != nullptr && (void *)context != (void *)machine) return INVALID_CONTEXT;
    current[slot] = context == nullptr ? 0 : machine->number;
    return 0;
}

#define NOTHING(method) &Function<slot, Needs::nothing, &Machine::method>::call
#define DRIVER(method) &Function<slot, Needs::driver, &Machine::method>::call
#define CONTEXT(method) &Function<slot, Needs::context, &Machine::method>::call

template <int slot> cd_cuda driver_table() {
    return {
        NOTHING(init), NOTHING(driver_get_version), NOTHING(get_error_name),
        NOTHING(get_error_string), DRIVER(device_get_count), DRIVER(device_get),
        DRIVER(device_get_name), DRIVER(device_total_mem), DRIVER(device_get_attribute),
        DRIVER(context_retain), DRIVER(context_release), &set_current<slot>,
        CONTEXT(mem_get_info), CONTEXT(mem_alloc), CONTEXT(mem_free), CONTEXT(mem_host_alloc),
        CONTEXT(mem_free_host), CONTEXT(copy_up), CONTEXT(copy_down), CONTEXT(copy_within),
        CONTEXT(copy_up_async), CONTEXT(copy_down_async), CONTEXT(copy_within_async),
        CONTEXT(set_bytes), CONTEXT(set_words), CONTEXT(stream_create), CONTEXT(stream_destroy),
        CONTEXT(stream_synchronize), CONTEXT(stream_wait_event), CONTEXT(event_create),
        CONTEXT(event_destroy), CONTEXT(event_record), CONTEXT(event_query),
        CONTEXT(event_synchronize), CONTEXT(event_elapsed_time), CONTEXT(module_load_data),
        CONTEXT(module_unload), CONTEXT(module_get_function), CONTEXT(func_set_attribute),
        CONTEXT(launch_kernel), CONTEXT(stream_begin_capture), CONTEXT(stream_end_capture),
        CONTEXT(graph_instantiate), CONTEXT(graph_launch), CONTEXT(graph_exec_destroy),
        CONTEXT(graph_destroy),
    };
}

template <int slot> cd_nvrtc compiler_table() {
    return {
        NOTHING(compiler_version), NOTHING(compiler_error), NOTHING(architecture_count),
        NOTHING(architectures), NOTHING(create_program), NOTHING(destroy_program),
        NOTHING(compile_program), NOTHING(log_size), NOTHING(log), NOTHING(code_size),
        NOTHING(code),
    };
}

template <int slot> cd_cublaslt products_table() {
    return {
        NOTHING(products_version), NOTHING(status_string), CONTEXT(create_products),
        CONTEXT(destroy_products), NOTHING(create_matmul), NOTHING(destroy_matmul),
        NOTHING(set_matmul), NOTHING(create_layout), NOTHING(destroy_layout), NOTHING(set_layout),
        NOTHING(create_preference), NOTHING(destroy_preference), NOTHING(set_preference),
        NOTHING(choose_algorithm), CONTEXT(multiply),
    };
}

using Fill = void (*)(cd_cuda *, cd_nvrtc *, cd_cublaslt *);

template <int slot> void fill(cd_cuda *driver, cd_nvrtc *compiler, cd_cublaslt *products) {
    *driver = driver_table<slot>();
    *compiler = compiler_table<slot>();
    *products = products_table<slot>();
}

template <int... slot> Fill filler(int wanted, std::integer_sequence<int, slot...>) {
    static const Fill fillers[] = {&fill<slot>...};
    return fillers[wanted];
}

int slot_of(const Machine *machine) {
    for (int slot = 0; slot < SLOTS; slot++)
        if (machines[slot] == machine) return slot;
    return -1;
}

}  // namespace

Machine *opened_machine() {
    static std::atomic<uint64_t> opened;
    auto *machine = new Machine();
    machine->number = ++opened;
    for (int tries = 0; tries < 60000; tries++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            Machine *none = nullptr;
            if (machines[slot].compare_exchange_strong(none, machine)) return machine;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    delete machine;
    return nullptr;
}

void close_machine(Machine *machine) {
    machines[slot_of(machine)] = nullptr;
    delete machine;
}

void fill_tables(Machine *machine, cd_cuda *driver, cd_nvrtc *compiler, cd_cublaslt *products) {
    filler(slot_of(machine), std::make_integer_sequence<int, SLOTS>())(driver, compiler, products);
}

}  // namespace emulator
