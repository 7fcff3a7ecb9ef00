// cuBLASLt: column-major products as plain loops with f32 sums, one term after another. Watched:
// layouts that do not fit, types that cuBLASLt has not together, matrices that reach out of their
// allocation, addresses less aligned than the heuristic was promised, an algorithm chosen for another
// product, a workspace that is too small. The workspace is written over.
#include "machine.h"

#include <algorithm>
#include <cstring>

namespace emulator {

namespace {

enum { SUCCESS = 0, INVALID = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
// cublasLtMatmulPreferenceAttributes_t: the least alignment of A, B, C and D; 256 where not set.
enum { MIN_ALIGNMENT_A = 5, MIN_ALIGNMENT_D = 8 };
enum { WORKSPACE = 64 << 10 };

size_t bytes_of(int type) { return type == CD_TYPE_BF16 ? 2 : 4; }

float number(const unsigned char *from, int type) {
    if (type == CD_TYPE_BF16) {
        bf16 x;
        memcpy(&x, from, 2);
        return to_float(x);
    }
    float x;
    memcpy(&x, from, 4);
    return x;
}

void put(unsigned char *to, int type, float x) {
    if (type == CD_TYPE_BF16) {
        bf16 y = from_float<bf16>(x);
        memcpy(to, &y, 2);
    } else {
        memcpy(to, &x, 4);
    }
}

// All that a product depends on but the addresses.
struct Product {
    cd_matmul_object matmul;
    cd_layout_object a, b, c, d;

    uint64_t m() const { return d.rows; }
    uint64_t n() const { return d.columns; }
    uint64_t k() const { return matmul.transpose_a != 0 ? a.rows : a.columns; }

    // What is wrong with it, or nothing.
    std::string wrong() const {
        bool ta = matmul.transpose_a != 0, tb = matmul.transpose_b != 0;
        if ((ta ? a.columns : a.rows) != m() || (tb ? b.rows : b.columns) != n()
            || (tb ? b.columns : b.rows) != k() || c.rows != m() || c.columns != n())
            return "the layouts of a product do not fit";
        for (const cd_layout_object *layout : {&a, &b, &c, &d}) {
            if (layout->leading < (int64_t)layout->rows)
                return "a leading dimension is smaller than the rows";
            if (layout->batch != d.batch) return "the batches of a product's layouts differ";
        }
        return "";
    }

    bool has_supported_types() const {
        bool is_f32 = a.type == CD_TYPE_F32 && d.type == CD_TYPE_F32;
        bool is_bf16 = a.type == CD_TYPE_BF16 && (d.type == CD_TYPE_F32 || d.type == CD_TYPE_BF16);
        return a.type == b.type && c.type == d.type && (is_f32 || is_bf16)
            && (matmul.bias_type < 0 || matmul.bias_type == d.type);
    }

    // Tells products apart that need algorithms of their own.
    uint64_t mark() const {
        uint64_t sum = 1;
        for (uint64_t part : {m(), n(), k(), (uint64_t)a.type, (uint64_t)d.type, (uint64_t)a.leading,
                              (uint64_t)b.leading, (uint64_t)d.leading, (uint64_t)d.batch,
                              (uint64_t)matmul.transpose_a, (uint64_t)matmul.transpose_b,
                              (uint64_t)matmul.epilogue})
            sum = (sum ^ part) * 0x100000001b3u;
        return sum;
    }
};

// From the first to the last byte of all matrices of a batch.
size_t extent(const cd_layout_object &layout) {
    if (layout.rows == 0 || layout.columns == 0) return 0;
    uint64_t last = (uint64_t)layout.leading * (layout.columns - 1) + layout.rows
        + (uint64_t)layout.stride * (uint64_t)(layout.batch - 1);
    return last * bytes_of(layout.type);
}

struct Addresses {
    cd_address a, b, c, d;
};

// op(matrix) as f32, column after column.
std::vector<float> unpacked(cd_address at, const cd_layout_object &layout, bool transpose, int batch) {
    std::vector<float> all(layout.rows * layout.columns);
    size_t size = bytes_of(layout.type);
    auto *from = (const unsigned char *)at + (size_t)layout.stride * (size_t)batch * size;
    for (uint64_t column = 0; column < layout.columns; column++)
        for (uint64_t row = 0; row < layout.rows; row++) {
            float x = number(from + (column * (uint64_t)layout.leading + row) * size, layout.type);
            all[transpose ? row * layout.columns + column : column * layout.rows + row] = x;
        }
    return all;
}

void multiply_one(const Product &product, Addresses at, float alpha, float beta, int batch) {
    std::vector<float> a = unpacked(at.a, product.a, product.matmul.transpose_a != 0, batch);
    std::vector<float> b = unpacked(at.b, product.b, product.matmul.transpose_b != 0, batch);
    uint64_t m = product.m(), k = product.k();
    size_t size = bytes_of(product.d.type);
    auto *c = (const unsigned char *)at.c + (size_t)product.c.stride * (size_t)batch * size;
    auto *d = (unsigned char *)at.d + (size_t)product.d.stride * (size_t)batch * size;
    std::vector<float> sums(m);
    for (uint64_t column = 0; column < product.n(); column++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (uint64_t i = 0; i < k; i++)
            for (uint64_t row = 0; row < m; row++) sums[row] += a[i * m + row] * b[column * k + i];
        for (uint64_t row = 0; row < m; row++) {
            float sum = alpha * sums[row];
            if (beta != 0)
                sum += beta * number(c + (column * (uint64_t)product.c.leading + row) * size, product.c.type);
            if (product.matmul.epilogue == CD_EPILOGUE_BIAS)
                sum += number((const unsigned char *)product.matmul.bias + row * size, product.d.type);
            put(d + (column * (uint64_t)product.d.leading + row) * size, product.d.type, sum);
        }
    }
}

// A value of an attribute, which must have its size.
template <typename Value> bool take(Value *value, const void *from, size_t bytes) {
    if (bytes != sizeof(Value)) return false;
    memcpy(value, from, bytes);
    return true;
}

}  // namespace

size_t Machine::products_version() { return 130000; }

const char *Machine::status_string(int status) {
    switch (status) {
    case SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case INVALID: return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "unknown status";
    }
}

int Machine::create_products(cd_products *products) {
    *products = handles.make();
    return SUCCESS;
}
int Machine::destroy_products(cd_products products) {
    return handles.destroy(products) ? SUCCESS : blame(INVALID, "a handle is destroyed that is none");
}

int Machine::create_matmul(cd_matmul *matmul, int compute_type, int scale_type) {
    if (compute_type != CD_COMPUTE_F32 || scale_type != CD_TYPE_F32)
        return blame(NOT_SUPPORTED, "the emulator multiplies with f32 sums and scales alone");
    *matmul = matmuls.make();
    return SUCCESS;
}
int Machine::destroy_matmul(cd_matmul matmul) {
    return matmuls.destroy(matmul) ? SUCCESS : blame(INVALID, "a description is destroyed that is none");
}

int Machine::set_matmul(cd_matmul matmul, int attribute, const void *value, size_t bytes) {
    bool is_taken = false;
    switch (attribute) {
    case CD_MATMUL_TRANSPOSE_A: is_taken = take(&matmul->transpose_a, value, bytes); break;
    case CD_MATMUL_TRANSPOSE_B: is_taken = take(&matmul->transpose_b, value, bytes); break;
    case CD_MATMUL_EPILOGUE: is_taken = take(&matmul->epilogue, value, bytes); break;
    case CD_MATMUL_BIAS_POINTER: is_taken = take(&matmul->bias, value, bytes); break;
    case CD_MATMUL_BIAS_DATA_TYPE: is_taken = take(&matmul->bias_type, value, bytes); break;
    }
    if (is_taken) return SUCCESS;
    return blame(INVALID, "attribute " + std::to_string(attribute) + " of a product cannot be set with "
                              + std::to_string(bytes) + " bytes");
}

int Machine::create_layout(cd_layout *layout, int type, uint64_t rows, uint64_t columns,
                           int64_t leading_dimension) {
    if (type != CD_TYPE_F32 && type != CD_TYPE_BF16)
        return blame(NOT_SUPPORTED, "the emulator knows no type " + std::to_string(type));
    *layout = layouts.make(type, rows, columns, leading_dimension, 1, 0);
    return SUCCESS;
}
int Machine::destroy_layout(cd_layout layout) {
    return layouts.destroy(layout) ? SUCCESS : blame(INVALID, "a layout is destroyed that is none");
}

int Machine::set_layout(cd_layout layout, int attribute, const void *value, size_t bytes) {
    bool is_taken = false;
    switch (attribute) {
    case CD_LAYOUT_BATCH_COUNT: is_taken = take(&layout->batch, value, bytes); break;
    case CD_LAYOUT_STRIDED_BATCH_OFFSET: is_taken = take(&layout->stride, value, bytes); break;
    }
    if (is_taken) return SUCCESS;
    return blame(INVALID, "attribute " + std::to_string(attribute) + " of a layout cannot be set with "
                              + std::to_string(bytes) + " bytes");
}

int Machine::create_preference(cd_preference *preference) {
    *preference = preferences.make();
    return SUCCESS;
}
int Machine::destroy_preference(cd_preference preference) {
    return preferences.destroy(preference) ? SUCCESS
                                           : blame(INVALID, "a preference is destroyed that is none");
}

int Machine::set_preference(cd_preference preference, int attribute, const void *value, size_t bytes) {
    bool is_taken = false;
    uint32_t mask = 0;
    if (attribute == CD_PREFERENCE_MAX_WORKSPACE_BYTES)
        is_taken = take(&preference->workspace, value, bytes);
    else if (attribute == CD_PREFERENCE_REDUCTION_SCHEME_MASK)
        is_taken = take(&mask, value, bytes);
    else if (attribute >= MIN_ALIGNMENT_A && attribute <= MIN_ALIGNMENT_D)
        is_taken = take(&preference->alignment[attribute - MIN_ALIGNMENT_A], value, bytes);
    if (is_taken) return SUCCESS;
    return blame(INVALID, "attribute " + std::to_string(attribute)
                              + " of a preference cannot be set with " + std::to_string(bytes) + " bytes");
}

// An algorithm holds the mark of its product, the workspace that it wants and the alignments.
int Machine::choose_algorithm(cd_products, cd_matmul matmul, cd_layout a, cd_layout b, cd_layout c,
                              cd_layout d, cd_preference preference, int requested,
                              cd_heuristic *results, int *returned) {
    Product product = {*matmul, *a, *b, *c, *d};
    *returned = 0;
    std::string what = product.wrong();
    if (!what.empty()) return blame(INVALID, what);
    if (!product.has_supported_types()) return NOT_SUPPORTED;
    if (requested < 1) return blame(INVALID, "no algorithm is asked for");
    size_t workspace = std::min<size_t>(preference->workspace, WORKSPACE);
    results[0] = {};
    results[0].algorithm.data[0] = product.mark();
    results[0].algorithm.data[1] = workspace;
    for (int i = 0; i < 4; i++) results[0].algorithm.data[2 + i] = preference->alignment[i];
    results[0].workspace_bytes = workspace;
    results[0].waves = 1;
    *returned = 1;
    return SUCCESS;
}

int Machine::multiply(cd_products handle, cd_matmul matmul, const void *alpha, cd_address a,
                      cd_layout a_layout, cd_address b, cd_layout b_layout, const void *beta,
                      cd_address c, cd_layout c_layout, cd_address d, cd_layout d_layout,
                      const cd_algorithm *algorithm, cd_address workspace, size_t workspace_bytes,
                      cd_stream stream) {
    products++;
    if (products_to_failure > 0 && --products_to_failure == 0) return product_status;
    if (!handles.has(handle)) return blame(INVALID, "a product is asked of no handle");
    if (!matmuls.has(matmul)) return blame(INVALID, "a product has a description that is none");
    for (cd_layout layout : {a_layout, b_layout, c_layout, d_layout})
        if (!layouts.has(layout)) return blame(INVALID, "a product has a layout that is none");
    Product product = {*matmul, *a_layout, *b_layout, *c_layout, *d_layout};
    std::string what = product.wrong();
    if (!what.empty()) return blame(INVALID, what);
    if (!product.has_supported_types()) return NOT_SUPPORTED;
    size_t wanted = algorithm == nullptr ? 0 : (size_t)algorithm->data[1];
    if (algorithm != nullptr) {
        if (algorithm->data[0] != product.mark())
            return blame(INVALID, "an algorithm is used that was chosen for another product");
        cd_address addresses[] = {a, b, c, d};
        for (int i = 0; i < 4; i++)
            if (addresses[i] % algorithm->data[2 + i] != 0)
                return blame(INVALID, std::string("matrix ") + "ABCD"[i] + " of a product is at an address "
                                 "that is no multiple of "
                                 + std::to_string(algorithm->data[2 + i])
                                 + ", which the heuristic was promised");
        if (workspace_bytes < wanted) return blame(INVALID, "a product's workspace is too small");
    }
    float scale, kept;
    memcpy(&scale, alpha, sizeof(scale));
    memcpy(&kept, beta, sizeof(kept));
    cd_result error = enqueue(stream, [=](Machine &machine) -> cd_result {
        if (!machine.reaches(a, extent(product.a), "matrix A of a product")
            || !machine.reaches(b, extent(product.b), "matrix B of a product")
            || (kept != 0 && !machine.reaches(c, extent(product.c), "matrix C of a product"))
            || !machine.reaches(d, extent(product.d), "matrix D of a product")
            || (product.matmul.epilogue == CD_EPILOGUE_BIAS
                && !machine.reaches(product.matmul.bias, product.m() * bytes_of(product.d.type),
                                    "a product's bias"))
            || (wanted > 0 && !machine.reaches(workspace, wanted, "a product's workspace")))
            return ILLEGAL_ADDRESS;
        for (int batch = 0; batch < product.d.batch; batch++)
            multiply_one(product, {a, b, c, d}, scale, kept, batch);
        if (wanted > 0) poison((void *)workspace, wanted);
        return 0;
    });
    return error == 0 ? SUCCESS : EXECUTION_FAILED;
}

}  // namespace emulator
