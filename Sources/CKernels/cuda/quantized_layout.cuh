// Where an element of a quantised weight lies and what it stands for; include/weight.h gives the
// layout, cpu/quantized_layout.h is the same for the CPU.
#pragma once
#include "prelude.cuh"

enum { GROUP = 64, PANEL = 8 };
enum quantized_kind { INT8, INT4, NF4 };

// 32767 times QLoRA's levels (arXiv 2305.14314, appendix E), rounded.
__device__ __constant__ short nf4_levels[16] = {-32767, -22812, -17205, -12940, -9320, -6054,
                                                -2983,  0,      2608,   5273,   8064,  11072,
                                                14441,  18435,  23689,  32767};

// Depths of one 32-bit word.
template <int KIND> struct word_depth {
    static constexpr int value = KIND == INT8 ? 4 : 8;
};

// Words of one panel of rows, and scales.
template <int KIND> __device__ __forceinline__ long panel_words(long K) {
    return (K + GROUP - 1) / GROUP * GROUP / word_depth<KIND>::value * PANEL;
}
__device__ __forceinline__ long panel_scales(long K) { return (K + GROUP - 1) / GROUP * PANEL; }

// The level of depth `j` of a word.
template <int KIND> __device__ __forceinline__ int level(u32 word, int j) {
    if (KIND == INT8) return (i8)(word >> (8 * j));
    int code = (int)(word >> (4 * j) & 15);
    return KIND == INT4 ? code - 8 : nf4_levels[code];
}

// A level times a scale; a zero is +0, as on the CPU.
__device__ __forceinline__ float dequantized(int level, float scale) {
    return fmaf((float)level, scale, 0.0f);
}
