// The state behind the tables of one emulated machine.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "block.h"
#include "include/CUDAEmulator.h"
#include "kernel.h"
#include "memory.h"

namespace emulator {

class Machine;

// Something that a stream does when its turn comes; gives an error or 0.
using Work = std::function<cd_result(Machine &)>;

// CUDA's errors that the machine gives.
enum {
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    DEINITIALIZED = 4,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY = 209,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_FAILED = 719,
    STREAM_CAPTURE_UNSUPPORTED = 900,
};

struct LaunchRecord {
    std::string kernel;
    Dimensions grid, block;
    unsigned shared_bytes;
    std::vector<uint64_t> arguments;
    bool of_graph;
};

}  // namespace emulator

struct cd_stream_object {
    bool waits_for_default;
    std::deque<emulator::Work> queue;
    uint64_t given = 0, done = 0;
    // What is captured goes there and is not done.
    cd_graph_object *capture = nullptr;
};

// The point of a stream after its `after`th piece of work.
struct cd_event_object {
    cd_stream stream = nullptr;
    uint64_t after = 0;
    bool has_time;
    double seconds = 0;
};

struct cd_module_object {
    std::string file;
};

struct cd_function_object {
    const emulator::Kernel *kernel;
    int most_shared = 48 << 10;
};

struct cd_graph_object {
    std::vector<emulator::Work> work;
    std::vector<emulator::LaunchRecord> launches;
};

struct cd_graph_exec_object : cd_graph_object {};

struct cd_program_object {
    std::string file, source, log = "", code = "";
};

struct cd_products_object {};

struct cd_matmul_object {
    int transpose_a = 0, transpose_b = 0, epilogue = 1, bias_type = -1;
    cd_address bias = 0;
};

struct cd_layout_object {
    int type;
    uint64_t rows, columns;
    int64_t leading;
    int32_t batch = 1;
    int64_t stride = 0;
};

struct cd_preference_object {
    uint64_t workspace = 0;
    uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace emulator {

// Objects of one kind that were made and not destroyed.
template <typename Object> class Objects {
  public:
    template <typename... Arguments> Object *make(Arguments &&...arguments) {
        auto *object = new Object{std::forward<Arguments>(arguments)...};
        live.emplace(object, object);
        return object;
    }
    bool has(const Object *object) const { return live.count(const_cast<Object *>(object)) > 0; }
    bool destroy(Object *object) { return live.erase(object) > 0; }
    size_t count() const { return live.size(); }
    auto begin() const { return live.begin(); }
    auto end() const { return live.end(); }

  private:
    std::map<Object *, std::unique_ptr<Object>> live;
};

class Machine {
  public:
    std::recursive_mutex mutex;
    // Of all that were opened, from 1.
    uint64_t number = 0;

    // MARK: As the user of the emulator set it
    int capability_major = 9, capability_minor = 0, driver_version = 13000, device_count = 1;
    size_t capacity = (size_t)4 << 30;
    Order order;
    bool compares_orders = false, runs_at_once = false;
    int allocations_to_failure = 0, launches_to_failure = 0, products_to_failure = 0;
    cd_result launch_error = 0;
    int product_status = 0;

    // MARK: What there is
    Memory memory, pinned;
    Objects<cd_stream_object> streams;
    Objects<cd_event_object> events;
    Objects<cd_module_object> modules;
    Objects<cd_graph_object> graphs;
    Objects<cd_graph_exec_object> execs;
    Objects<cd_program_object> programs;
    Objects<cd_products_object> handles;
    Objects<cd_matmul_object> matmuls;
    Objects<cd_layout_object> layouts;
    Objects<cd_preference_object> preferences;
    std::map<std::string, cd_function_object> functions;
    bool is_initialized = false;
    int contexts = 0;
    // Every call after an error of a kernel gives it again.
    cd_result sticky = 0;

    // MARK: What came of it
    std::string wrong, left;
    size_t peak_bytes = 0, allocations = 0, bytes_up = 0, bytes_down = 0,
           copies_up = 0, copies_down = 0, products = 0,
           compilations = 0, graph_launches = 0;
    std::deque<LaunchRecord> launches;

    // Remembers what the user did wrong, if it is the first, and gives `error`.
    cd_result blame(cd_result error, const std::string &what);
    // The same, and all calls from now on give it.
    cd_result break_down(cd_result error, const std::string &what);
    // Whether `bytes` at a device address are allocated; blames `user` where not.
    bool reaches(cd_address address, size_t bytes, const char *user);

    // Gives work to a stream, to the graph that it captures, or does it where there is no stream.
    cd_result enqueue(cd_stream stream, Work work);
    // Does the stream's work up to its `until`th piece.
    cd_result drain(cd_stream stream, uint64_t until = UINT64_MAX);
    // All streams', as what frees memory does.
    cd_result drain_all();
    // Those that the default stream waits for.
    cd_result drain_for_default();

    // MARK: The driver's functions, named after them
    cd_result init(unsigned flags);
    cd_result driver_get_version(int *version);
    cd_result get_error_name(cd_result error, const char **name);
    cd_result get_error_string(cd_result error, const char **text);
    cd_result device_get_count(int *count);
    cd_result device_get(cd_device *device, int ordinal);
    cd_result device_get_name(char *name, int capacity, cd_device device);
    cd_result device_total_mem(size_t *bytes, cd_device device);
    cd_result device_get_attribute(int *value, int attribute, cd_device device);
    cd_result context_retain(cd_context *context, cd_device device);
    cd_result context_release(cd_device device);
    cd_result mem_get_info(size_t *free_bytes, size_t *total_bytes);
    cd_result mem_alloc(cd_address *address, size_t bytes);
    cd_result mem_free(cd_address address);
    cd_result mem_host_alloc(void **address, size_t bytes, unsigned flags);
    cd_result mem_free_host(void *address);
    cd_result copy_up(cd_address to, const void *from, size_t bytes);
    cd_result copy_down(void *to, cd_address from, size_t bytes);
    cd_result copy_within(cd_address to, cd_address from, size_t bytes);
    cd_result copy_up_async(cd_address to, const void *from, size_t bytes, cd_stream stream);
    cd_result copy_down_async(void *to, cd_address from, size_t bytes, cd_stream stream);
    cd_result copy_within_async(cd_address to, cd_address from, size_t bytes, cd_stream stream);
    cd_result set_bytes(cd_address to, unsigned char value, size_t count, cd_stream stream);
    cd_result set_words(cd_address to, unsigned value, size_t count, cd_stream stream);
    cd_result stream_create(cd_stream *stream, unsigned flags);
    cd_result stream_destroy(cd_stream stream);
    cd_result stream_synchronize(cd_stream stream);
    cd_result stream_wait_event(cd_stream stream, cd_event event, unsigned flags);
    cd_result event_create(cd_event *event, unsigned flags);
    cd_result event_destroy(cd_event event);
    cd_result event_record(cd_event event, cd_stream stream);
    cd_result event_query(cd_event event);
    cd_result event_synchronize(cd_event event);
    cd_result event_elapsed_time(float *milliseconds, cd_event start, cd_event end);
    cd_result module_load_data(cd_module *module, const void *image);
    cd_result module_unload(cd_module module);
    cd_result module_get_function(cd_function *function, cd_module module, const char *name);
    cd_result func_set_attribute(cd_function function, int attribute, int value);
    cd_result launch_kernel(cd_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z,
                            unsigned shared_bytes, cd_stream stream, void **parameters, void **extra);
    cd_result stream_begin_capture(cd_stream stream, int mode);
    cd_result stream_end_capture(cd_stream stream, cd_graph *graph);
    cd_result graph_instantiate(cd_graph_exec *exec, cd_graph graph, unsigned long long flags);
    cd_result graph_launch(cd_graph_exec exec, cd_stream stream);
    cd_result graph_exec_destroy(cd_graph_exec exec);
    cd_result graph_destroy(cd_graph graph);

    // MARK: NVRTC's
    int compiler_version(int *major, int *minor);
    const char *compiler_error(int result);
    int architecture_count(int *count);
    int architectures(int *architectures);
    int create_program(cd_program *program, const char *source, const char *name, int header_count,
                       const char *const *headers, const char *const *header_names);
    int destroy_program(cd_program *program);
    int compile_program(cd_program program, int option_count, const char *const *options);
    int log_size(cd_program program, size_t *bytes);
    int log(cd_program program, char *log);
    int code_size(cd_program program, size_t *bytes);
    int code(cd_program program, char *code);

    // MARK: cuBLASLt's
    size_t products_version();
    const char *status_string(int status);
    int create_products(cd_products *products);
    int destroy_products(cd_products products);
    int create_matmul(cd_matmul *matmul, int compute_type, int scale_type);
    int destroy_matmul(cd_matmul matmul);
    int set_matmul(cd_matmul matmul, int attribute, const void *value, size_t bytes);
    int create_layout(cd_layout *layout, int type, uint64_t rows, uint64_t columns,
                      int64_t leading_dimension);
    int destroy_layout(cd_layout layout);
    int set_layout(cd_layout layout, int attribute, const void *value, size_t bytes);
    int create_preference(cd_preference *preference);
    int destroy_preference(cd_preference preference);
    int set_preference(cd_preference preference, int attribute, const void *value, size_t bytes);
    int choose_algorithm(cd_products products, cd_matmul matmul, cd_layout a, cd_layout b,
                         cd_layout c, cd_layout d, cd_preference preference, int requested,
                         cd_heuristic *results, int *returned);
    int multiply(cd_products products, cd_matmul matmul, const void *alpha, cd_address a,
                 cd_layout a_layout, cd_address b, cd_layout b_layout, const void *beta, cd_address c,
                 cd_layout c_layout, cd_address d, cd_layout d_layout, const cd_algorithm *algorithm,
                 cd_address workspace, size_t workspace_bytes, cd_stream stream);

  private:
    int most_shared_bytes() const;
    cd_result run_launch(const Kernel &kernel, const LaunchRecord &record);
    std::string argument_blame(const Kernel &kernel, const LaunchRecord &record) const;
};

}  // namespace emulator
