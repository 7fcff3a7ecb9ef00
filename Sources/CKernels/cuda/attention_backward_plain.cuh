// Gradients of attention by plain loops, for any type and D <= 256: the passes of
// attention_backward.cu with 16 rows and 16 keys a block in place of 64, all sums in f32.
//
// Shared memory: up to 6 tiles [16, D + 1] of f32 and two of [16, 17]; at most 102 KiB.
#pragma once

// products[r, c] = x[r, :] . y[c, :] of two tiles.
__device__ __forceinline__ float plain_product(const float *x, const float *y, int r, int c,
                                               int D) {
    float sum = 0;
    for (int d = 0; d < D; d++) sum = fmaf(x[r * (D + 1) + d], y[c * (D + 1) + d], sum);
    return sum;
}

// sums[r, d] += sum_c weights[r, c] y[c, d]; weights by r * row + c * column.
__device__ __forceinline__ void plain_add(float *sums, const float *weights, int row, int column,
                                          const float *y, int D) {
    for (int i = threadIdx.x; i < PLAIN_ROWS * D; i += PLAIN_THREADS) {
        int r = i / D, d = i % D;
        float sum = sums[r * (D + 1) + d];
        for (int c = 0; c < PLAIN_KEYS; c++)
            sum = fmaf(weights[r * row + c * column], y[c * (D + 1) + d], sum);
        sums[r * (D + 1) + d] = sum;
    }
}

template <typename A> struct PlainGradients {
    float *queries, *slopes, *keys, *values, *first_sums, *second_sums, *p, *ds;

    __device__ __forceinline__ PlainGradients(float *shared, long D) {
        float **tiles[6] = {&queries, &slopes, &keys, &values, &first_sums, &second_sums};
        for (int i = 0; i < 6; i++) *tiles[i] = shared + i * plain_floats(D);
        p = shared + 6 * plain_floats(D);
        ds = p + PLAIN_ROWS * PLAIN_PITCH;
    }

    // p and ds [rows, keys] of the tiles at hand; `limit` as in Viewers.
    __device__ __forceinline__ void weigh(const Gradients<A> &g, const RowRange &range,
                                          const QueryRows &numbers, int key, int limit) const {
        for (int i = threadIdx.x; i < PLAIN_ROWS * PLAIN_KEYS; i += PLAIN_THREADS) {
            int r = i / PLAIN_KEYS, c = i % PLAIN_KEYS, D = (int)g.D;
            float weight = 0, slope = 0;
            if (key + c < limit && sees(range.position(range.row + r), key + c, g.reach)) {
                long place = numbers.offset(range.row + r);
                float score = plain_product(queries, keys, r, c, D) * g.scale;
                weight = expf(score - g.lse[place]);
                slope = weight * (plain_product(slopes, values, r, c, D) - g.delta[place]);
            }
            p[r * PLAIN_PITCH + c] = weight;
            ds[r * PLAIN_PITCH + c] = slope;
        }
    }
};

template <typename A>
__device__ __forceinline__ void clear_plain(float *tile, int D) {
    for (int i = threadIdx.x; i < plain_floats(D); i += PLAIN_THREADS) tile[i] = 0;
}

// Rows first ..< end of `base`, at most 16, from a tile of sums.
template <typename A>
__device__ __forceinline__ void store_plain(A *base, const QueryRows &rows, int first, int end,
                                            const float *tile, float factor, int D) {
    for (int i = threadIdx.x; i < PLAIN_ROWS * D; i += PLAIN_THREADS) {
        int r = i / D, d = i % D;
        if (first + r < end)
            base[rows.offset(first + r) + d] = from_float<A>(tile[r * (D + 1) + d] * factor);
    }
}

template <typename A>
__device__ __forceinline__ void query_gradient_plain(const int *tile,
                                                     const PackedSequence *sequences,
                                                     const Gradients<A> &g, A *dq) {
    DYNAMIC_SHARED(float, shared);
    PlainGradients<A> plain(shared, g.D);
    int D = (int)g.D;
    PackedSequence sequence = sequences[tile[0]];
    PackedKeys source = packed_keys(sequence, g.K, D, blockIdx.y);
    QueryRows numbers = query_rows(sequence.start, g.H, g.K, 1, blockIdx.y);
    RowRange range = {query_rows(sequence.start, g.H, g.K, D, blockIdx.y), tile[1], 0,
                      sequence.prefix_count};
    range.end = sequence.count * range.rows.group.size;
    int end = range.position(min(range.row + PLAIN_ROWS, range.end) - 1) + 1;
    int key = first_tile(range.position(range.row), g.reach, PLAIN_KEYS);
    load_plain(plain.queries, g.q, range.rows, range.row, range.end, D);
    load_plain(plain.slopes, g.dout, range.rows, range.row, range.end, D);
    clear_plain<A>(plain.first_sums, D);
    for (; key < end; key += PLAIN_KEYS) {
        __syncthreads();
        load_plain(plain.keys, g.k, source, key, end, D);
        load_plain(plain.values, g.v, source, key, end, D);
        __syncthreads();
        plain.weigh(g, range, numbers, key, end);
        __syncthreads();
        plain_add(plain.first_sums, plain.ds, PLAIN_PITCH, 1, plain.keys, D);
    }
    __syncthreads();
    store_plain(dq, range.rows, range.row, range.end, plain.first_sums, g.scale, D);
}

template <typename A>
__device__ __forceinline__ void key_gradient_plain(const KeyTile *tiles,
                                                   const PackedSequence *sequences,
                                                   const Gradients<A> &g, float *partials, A *dk,
                                                   A *dv) {
    DYNAMIC_SHARED(float, shared);
    PlainGradients<A> plain(shared, g.D);
    int D = (int)g.D, group = (int)(g.H / g.K);
    Viewers at = {sequences, tiles[blockIdx.x]};
    at.rows = PLAIN_ROWS;
    at.reach = g.reach;
    at.start(PLAIN_KEYS, group);
    OwnKeys own = own_keys(at.tile, at.owner, g.K, D);
    load_plain(plain.keys, g.k, own.rows, own.first, own.end, D);
    load_plain(plain.values, g.v, own.rows, own.first, own.end, D);
    clear_plain<A>(plain.first_sums, D);
    clear_plain<A>(plain.second_sums, D);
    for (; !at.done(); at.advance(PLAIN_KEYS, group)) {
        RowRange range = {query_rows(at.sequence.start, g.H, g.K, D, blockIdx.y), at.row, at.end,
                          at.sequence.prefix_count};
        __syncthreads();
        load_plain(plain.queries, g.q, range.rows, range.row, range.end, D);
        load_plain(plain.slopes, g.dout, range.rows, range.row, range.end, D);
        __syncthreads();
        plain.weigh(g, range, query_rows(at.sequence.start, g.H, g.K, 1, blockIdx.y),
                    at.first_key(), min(at.limit, at.owner.prefix_count + at.owner.count));
        __syncthreads();
        plain_add(plain.first_sums, plain.ds, 1, PLAIN_PITCH, plain.queries, D);
        plain_add(plain.second_sums, plain.p, 1, PLAIN_PITCH, plain.slopes, D);
    }
    __syncthreads();
    if (at.tile.slot < 0) {
        store_plain(dk, own.rows, own.first, own.end, plain.first_sums, g.scale, D);
        store_plain(dv, own.rows, own.first, own.end, plain.second_sums, 1, D);
        return;
    }
    float *part = partials + ((long)at.tile.slot * g.K + blockIdx.y) * 2 * PLAIN_KEYS * D;
    for (int i = threadIdx.x; i < PLAIN_KEYS * D; i += PLAIN_THREADS) {
        int place = i / D * (D + 1) + i % D;
        part[i] = plain.first_sums[place] * g.scale;
        part[PLAIN_KEYS * D + i] = plain.second_sums[place];
    }
}
