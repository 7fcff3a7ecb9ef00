// What tests ask of a machine.
#include "machine.h"

using emulator::Machine;

namespace emulator {
Machine *opened_machine();
void close_machine(Machine *machine);
void fill_tables(Machine *machine, cd_cuda *driver, cd_nvrtc *compiler, cd_cublaslt *products);
}  // namespace emulator

struct emulator_machine : Machine {};

namespace {
using Lock = std::lock_guard<std::recursive_mutex>;

std::string counted(size_t count, const char *what) {
    return count == 0 ? "" : ", " + std::to_string(count) + " " + what;
}
}  // namespace

emulator_machine *emulator_open(void) { return (emulator_machine *)emulator::opened_machine(); }
void emulator_close(emulator_machine *machine) { emulator::close_machine(machine); }
void emulator_tables(emulator_machine *machine, cd_cuda *driver, cd_nvrtc *compiler,
                     cd_cublaslt *products) {
    emulator::fill_tables(machine, driver, compiler, products);
}

void emulator_set_capability(emulator_machine *machine, int major, int minor) {
    Lock lock(machine->mutex);
    machine->capability_major = major;
    machine->capability_minor = minor;
}
void emulator_set_driver_version(emulator_machine *machine, int version) {
    Lock lock(machine->mutex);
    machine->driver_version = version;
}
void emulator_set_device_count(emulator_machine *machine, int count) {
    Lock lock(machine->mutex);
    machine->device_count = count;
}
void emulator_set_memory(emulator_machine *machine, size_t bytes) {
    Lock lock(machine->mutex);
    machine->capacity = bytes;
}
void emulator_set_order(emulator_machine *machine, emulator_order order, uint64_t seed) {
    Lock lock(machine->mutex);
    machine->order = {(emulator::Order::Kind)order, seed};
}
void emulator_compare_orders(emulator_machine *machine, bool compares) {
    Lock lock(machine->mutex);
    machine->compares_orders = compares;
}
void emulator_run_at_once(emulator_machine *machine, bool at_once) {
    Lock lock(machine->mutex);
    machine->runs_at_once = at_once;
}

void emulator_fail_allocation(emulator_machine *machine, int n) {
    Lock lock(machine->mutex);
    machine->allocations_to_failure = n;
}
void emulator_fail_launch(emulator_machine *machine, int n, cd_result error) {
    Lock lock(machine->mutex);
    machine->launches_to_failure = n;
    machine->launch_error = error;
}
void emulator_fail_product(emulator_machine *machine, int n, int status) {
    Lock lock(machine->mutex);
    machine->products_to_failure = n;
    machine->product_status = status;
}

const char *emulator_wrong(emulator_machine *machine) {
    Lock lock(machine->mutex);
    return machine->wrong.c_str();
}

const char *emulator_left(emulator_machine *machine) {
    Lock lock(machine->mutex);
    Machine &m = *machine;
    std::string left = counted(m.memory.bytes(), "bytes of device memory")
        + counted(m.pinned.bytes(), "bytes of pinned memory") + counted(m.streams.count(), "streams")
        + counted(m.events.count(), "events") + counted(m.modules.count(), "modules")
        + counted(m.graphs.count(), "graphs") + counted(m.execs.count(), "instantiated graphs")
        + counted(m.programs.count(), "programs of the compiler")
        + counted(m.handles.count(), "handles of cuBLASLt")
        + counted(m.matmuls.count() + m.layouts.count() + m.preferences.count(),
                  "descriptions of products")
        + counted((size_t)m.contexts, "contexts");
    m.left = left.empty() ? "" : left.substr(2);
    return m.left.c_str();
}

size_t emulator_bytes(emulator_machine *machine) {
    Lock lock(machine->mutex);
    return machine->memory.bytes();
}

#define COUNT(function, field)                    \
    size_t function(emulator_machine *machine) {  \
        Lock lock(machine->mutex);                \
        return machine->field;                    \
    }
COUNT(emulator_peak_bytes, peak_bytes)
COUNT(emulator_allocations, allocations)
COUNT(emulator_bytes_up, bytes_up)
COUNT(emulator_bytes_down, bytes_down)
COUNT(emulator_copies_up, copies_up)
COUNT(emulator_copies_down, copies_down)
COUNT(emulator_products, products)
COUNT(emulator_compilations, compilations)
COUNT(emulator_graph_launches, graph_launches)
COUNT(emulator_launches, launches.size())

emulator_launch emulator_launch_at(emulator_machine *machine, size_t index) {
    Lock lock(machine->mutex);
    const emulator::LaunchRecord &record = machine->launches.at(index);
    emulator_launch launch = {
        record.kernel.c_str(),
        {record.grid.x, record.grid.y, record.grid.z},
        {record.block.x, record.block.y, record.block.z},
        record.shared_bytes,
        (const uint8_t *)record.arguments.data(),
        record.arguments.size(),
        record.of_graph,
    };
    return launch;
}

void emulator_reset_counts(emulator_machine *machine) {
    Lock lock(machine->mutex);
    machine->launches.clear();
    machine->peak_bytes = machine->memory.bytes();
    machine->allocations = machine->bytes_up = machine->bytes_down = machine->products =
        machine->copies_up = machine->copies_down =
        machine->compilations = machine->graph_launches = 0;
}
