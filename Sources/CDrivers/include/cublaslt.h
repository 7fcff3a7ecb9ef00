// The part of cuBLASLt (libcublasLt.so.12 or .13) that is used here: products of matrices, which
// are column-major there. A table of functions that is filled at run time; see cuda_driver.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cuda_driver.h"

#pragma clang assume_nonnull begin

typedef struct cd_products_object *cd_products;
typedef struct cd_matmul_object *cd_matmul;
typedef struct cd_layout_object *cd_layout;
typedef struct cd_preference_object *cd_preference;

enum {
    /// cublasStatus_t: there is no algorithm for such a product.
    CD_PRODUCTS_NOT_SUPPORTED = 15,
    /// cudaDataType
    CD_TYPE_F32 = 0,
    CD_TYPE_BF16 = 14,
    /// cublasComputeType_t: f32 sums, and never TF32.
    CD_COMPUTE_F32 = 68,
    /// cublasOperation_t
    CD_OPERATION_NONE = 0,
    CD_OPERATION_TRANSPOSE = 1,
    /// cublasLtMatmulDescAttributes_t; operations and the epilogue are int32_t
    CD_MATMUL_TRANSPOSE_A = 3,
    CD_MATMUL_TRANSPOSE_B = 4,
    CD_MATMUL_EPILOGUE = 7,
    /// The address of one bias a row of (column-major) D.
    CD_MATMUL_BIAS_POINTER = 8,
    CD_MATMUL_BIAS_DATA_TYPE = 26,
    /// cublasLtEpilogue_t
    CD_EPILOGUE_DEFAULT = 1,
    CD_EPILOGUE_BIAS = 4,
    /// cublasLtMatrixLayoutAttribute_t
    CD_LAYOUT_BATCH_COUNT = 5,
    CD_LAYOUT_STRIDED_BATCH_OFFSET = 6,
    /// cublasLtMatmulPreferenceAttributes_t
    CD_PREFERENCE_MAX_WORKSPACE_BYTES = 1,
    CD_PREFERENCE_REDUCTION_SCHEME_MASK = 3,
    /// Bytes (uint32_t) that an operand's address is a multiple of; those of b, c and d follow.
    CD_PREFERENCE_MIN_ALIGNMENT_A = 5,
    /// cublasLtReductionScheme_t: partial sums stay in the type of the sums.
    CD_REDUCTION_COMPUTE_TYPE = 2,
};

/// How a product is computed, as the heuristic chose it.
typedef struct cd_algorithm {
    uint64_t data[8];
} cd_algorithm;

/// One answer of the heuristic; `state` is 0 where it can be used.
typedef struct cd_heuristic {
    cd_algorithm algorithm;
    size_t workspace_bytes;
    int state;
    float waves;
    int reserved[4];
} cd_heuristic;

/// The functions; all give 0 where they worked, but the version and the text.
typedef struct cd_cublaslt {
    /// 10000 * major + 100 * minor + patch.
    size_t (*cublasLtGetVersion)(void);
    const char *_Nullable (*_Nonnull cublasLtGetStatusString)(int status);
    int (*cublasLtCreate)(cd_products _Nullable *_Nonnull products);
    int (*cublasLtDestroy)(cd_products products);
    int (*cublasLtMatmulDescCreate)(cd_matmul _Nullable *_Nonnull matmul, int compute_type,
                                    int scale_type);
    int (*cublasLtMatmulDescDestroy)(cd_matmul matmul);
    int (*cublasLtMatmulDescSetAttribute)(cd_matmul matmul, int attribute, const void *value,
                                          size_t bytes);
    int (*cublasLtMatrixLayoutCreate)(cd_layout _Nullable *_Nonnull layout, int type, uint64_t rows,
                                      uint64_t columns, int64_t leading_dimension);
    int (*cublasLtMatrixLayoutDestroy)(cd_layout layout);
    int (*cublasLtMatrixLayoutSetAttribute)(cd_layout layout, int attribute, const void *value,
                                            size_t bytes);
    int (*cublasLtMatmulPreferenceCreate)(cd_preference _Nullable *_Nonnull preference);
    int (*cublasLtMatmulPreferenceDestroy)(cd_preference preference);
    int (*cublasLtMatmulPreferenceSetAttribute)(cd_preference preference, int attribute,
                                                const void *value, size_t bytes);
    int (*cublasLtMatmulAlgoGetHeuristic)(cd_products products, cd_matmul matmul, cd_layout a,
                                          cd_layout b, cd_layout c, cd_layout d,
                                          cd_preference preference, int requested,
                                          cd_heuristic *results, int *returned);
    /// d = alpha op(a) op(b) + beta c (+ bias); alpha and beta are f32 on the host.
    int (*cublasLtMatmul)(cd_products products, cd_matmul matmul, const void *alpha, cd_address a,
                          cd_layout a_layout, cd_address b, cd_layout b_layout, const void *beta,
                          cd_address c, cd_layout c_layout, cd_address d, cd_layout d_layout,
                          const cd_algorithm *algorithm, cd_address workspace,
                          size_t workspace_bytes, cd_stream stream);
} cd_cublaslt;

#pragma clang assume_nonnull end
