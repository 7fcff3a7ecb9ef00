// The one list of the files in the folder cuda that the program carries: a new file needs its entry
// here and, where it has kernels, its case of KernelFile.
#include "cuda_sources.h"

#include <stddef.h>

// A file's text; the zero after it is in each entry.
#define TEXT (const char[])

static const ck_cuda_source sources[] = {
    {"adamw.cu", TEXT{
#embed "cuda/adamw.cu"
    , 0}},
    {"attention.cu", TEXT{
#embed "cuda/attention.cu"
    , 0}},
    {"attention_backward.cu", TEXT{
#embed "cuda/attention_backward.cu"
    , 0}},
    {"attention_backward_plain.cuh", TEXT{
#embed "cuda/attention_backward_plain.cuh"
    , 0}},
    {"attention_rows.cuh", TEXT{
#embed "cuda/attention_rows.cuh"
    , 0}},
    {"attention_tile.cuh", TEXT{
#embed "cuda/attention_tile.cuh"
    , 0}},
    {"elementwise.cu", TEXT{
#embed "cuda/elementwise.cu"
    , 0}},
    {"embedding.cu", TEXT{
#embed "cuda/embedding.cu"
    , 0}},
    {"grouped_linear.cu", TEXT{
#embed "cuda/grouped_linear.cu"
    , 0}},
    {"linear.cu", TEXT{
#embed "cuda/linear.cu"
    , 0}},
    {"paged_attention.cu", TEXT{
#embed "cuda/paged_attention.cu"
    , 0}},
    {"paged_decode.cu", TEXT{
#embed "cuda/paged_decode.cu"
    , 0}},
    {"prelude.cuh", TEXT{
#embed "cuda/prelude.cuh"
    , 0}},
    {"quantized_few_rows.cu", TEXT{
#embed "cuda/quantized_few_rows.cu"
    , 0}},
    {"quantized_layout.cuh", TEXT{
#embed "cuda/quantized_layout.cuh"
    , 0}},
    {"quantized_linear.cu", TEXT{
#embed "cuda/quantized_linear.cu"
    , 0}},
    {"rms_norm.cu", TEXT{
#embed "cuda/rms_norm.cu"
    , 0}},
    {"rotary.cu", TEXT{
#embed "cuda/rotary.cu"
    , 0}},
    {"sampling.cu", TEXT{
#embed "cuda/sampling.cu"
    , 0}},
    {"swiglu.cu", TEXT{
#embed "cuda/swiglu.cu"
    , 0}},
    {"token_log_probability.cu", TEXT{
#embed "cuda/token_log_probability.cu"
    , 0}},
    {NULL, NULL},
};

const ck_cuda_source *ck_cuda_sources(void) { return sources; }
