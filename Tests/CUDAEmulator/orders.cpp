#include "orders.h"

#include <algorithm>
#include <cstdlib>

namespace emulator {

namespace {

std::vector<Order> orders() {
    const char *wanted = getenv("CUDA_EMULATOR_ORDER");
    std::string name = wanted == nullptr ? "" : wanted;
    if (name == "forward") return {{Order::forward, 0}};
    if (name == "backward") return {{Order::backward, 0}};
    if (!name.empty()) return {{Order::shuffled, strtoull(name.c_str(), nullptr, 10)}};
    return {{Order::forward, 0}, {Order::backward, 0}, {Order::shuffled, 1}, {Order::shuffled, 2}};
}

std::string text(Order order) {
    switch (order.kind) {
    case Order::forward: return "forward";
    case Order::backward: return "backward";
    case Order::shuffled: return "shuffled by " + std::to_string(order.seed);
    }
    return "";
}

}  // namespace

std::string run_watched(const Launch &launch, Order order, Memory &memory,
                        const std::vector<const void *> &arguments) {
    std::vector<Tracked> regions;
    append_shared_memory(regions, launch.shared_bytes);
    memory.append_tracked(regions, arguments);
    std::sort(regions.begin(), regions.end(),
              [](const Tracked &a, const Tracked &b) { return a.begin < b.begin; });
    begin_tracking(regions.data(), regions.size());
    std::string wrong = run(launch, order);
    end_tracking();
    return wrong;
}

std::string run_in_all_orders(const Launch &launch, Memory &memory,
                              const std::vector<const void *> &arguments) {
    std::vector<Order> all = orders();
    Memory::Contents before, after;
    if (all.size() > 1) before = memory.contents(arguments);
    for (size_t i = 0; i < all.size(); i++) {
        if (i > 0) Memory::restore(before);
        std::string wrong = run_watched(launch, all[i], memory, arguments);
        if (wrong.empty()) wrong = memory.overrun();
        if (!wrong.empty()) return wrong + " (threads " + text(all[i]) + ")";
        if (i == 0) after = memory.contents(arguments);
        std::string where = Memory::difference(after);
        if (!where.empty())
            return "kernel " + launch.name + " has a race: " + where + " is not the same with threads "
                + text(all[0]) + " and " + text(all[i]);
    }
    return "";
}

}  // namespace emulator
