// A batch for several adapters has many small products: each is cut into tiles of rows and columns,
// and the tiles of all of them are the tasks of one call. A tile is a product of linear.c, which
// gives an element the same bits wherever it stands.
#include "../include/grouped_linear.h"

#include "../include/linear.h"
#include "../include/parallel.h"
#include "isa.h"
#include "quantized_layout.h"

enum {
    TILE_ROWS = 192,
    TILE_COLUMNS = 512,
    FIRST_TASK_SLOT = 3,
};

typedef struct {
    long count;
    const ck_linear_group *groups;
    const long *first_task; // [count + 1]
    int accumulate;
    ck_isa isa; // of the thread that asks, which its workers follow
} grouped_call;

static long tiles_down(const ck_linear_group *group) {
    return ck_divide_up(group->M, TILE_ROWS);
}

static void run_tile(void *context, long task) {
    const grouped_call *call = context;
    long index = 0;
    while (task >= call->first_task[index + 1]) index++;
    const ck_linear_group *group = call->groups + index;
    long within = task - call->first_task[index], down = tiles_down(group);
    long row = within % down * TILE_ROWS, column = within / down * TILE_COLUMNS;
    const ck_weight W = {.data = group->W, .dtype = group->dtype};
    ck_isa own = ck_isa_in_use();
    ck_isa_limit(call->isa);
    ck_linear_forward(ck_min(TILE_ROWS, group->M - row), ck_min(TILE_COLUMNS, group->N - column),
                      group->K, group->x + row * group->K, group->K,
                      ck_weight_from_row(W, column, group->K), nullptr, CK_F32,
                      group->scale, call->accumulate, group->y + row * group->N + column, group->N);
    ck_isa_limit(own);
}

void ck_grouped_linear_forward(long count, const ck_linear_group *groups, int accumulate) {
    long *first = ck_scratch(FIRST_TASK_SLOT, (size_t)(count + 1) * sizeof(long));
    first[0] = 0;
    for (long i = 0; i < count; i++) {
        long across = ck_divide_up(groups[i].N, TILE_COLUMNS);
        first[i + 1] = first[i] + tiles_down(groups + i) * across;
    }
    grouped_call call = {count, groups, first, accumulate, ck_isa_in_use()};
    ck_parallel(first[count], run_tile, &call);
}
