// Matrix product of many rows of activations, a prefill's, in float32: x W^T + bias + residual.
//
// The lanes of a vector are tokens: x is transposed once, and a weight is broadcast from where it
// lies, in rows of the matrix that need not be rearranged. A tile of weights stays in registers as
// sums for as many tokens as fit, so that a load feeds several multiplications. Blocks are unpacked
// a tile at a time, which the second-level cache keeps while all tokens are multiplied with it.
#pragma once

#include <algorithm>

#include "interface.hpp"

constexpr int SUM_ROWS = LANES == 16 ? 8 : 4;  // rows of weights whose sums are in registers
constexpr int SUM_VECTORS = 3;                 // times so many vectors of tokens
constexpr int PANEL = SUM_VECTORS * LANES;     // tokens that are transposed side by side
constexpr int64_t WEIGHT_TILE_FLOATS = 64 << 10;

// Rows of weights in float32, where they lie or unpacked.
struct WeightRows {
    const float* first;
    int64_t stride;
};

// x [rows, k] as panels [k, tokens of the panel], zero beyond the last row.
struct Panels {
    float* begin;
    int64_t rows, k;

    static int64_t floats(int64_t rows, int64_t k) { return round_up(rows, LANES) * k; }
    int64_t vectors() const { return (rows + LANES - 1) / LANES; }
    int vectors_of(int64_t panel) const {
        return int(std::min<int64_t>(vectors() - panel * SUM_VECTORS, SUM_VECTORS));
    }
    float* panel(int64_t number) const { return begin + number * PANEL * k; }

    // Writes the tokens of one vector.
    void transpose_tokens(const float* x, int64_t x_stride, int64_t vector) const {
        int64_t number = vector / SUM_VECTORS, stride = vectors_of(number) * LANES;
        float* out = panel(number) + vector % SUM_VECTORS * LANES;
        for (int64_t i = 0; i < k; i += LANES) {
            vec square[LANES] = {};
            for (int64_t token = vector * LANES, l = 0; l < LANES && token < rows; l++, token++)
                square[l] = load_tail(x + token * x_stride + i, k - i);
            transpose(square);
            for (int l = 0; l < LANES && i + l < k; l++) store(out + (i + l) * stride, square[l]);
        }
    }
};

// Dot products of SUM_ROWS rows of weights with the tokens of a panel: out[row * PANEL + token].
template <int VECTORS>
INLINE void multiply_panel(WeightRows w, const float* panel, int64_t k, float* out) {
    vec sums[SUM_ROWS][VECTORS] = {};
#pragma GCC unroll 4
    for (int64_t i = 0; i < k; i++) {
        vec x[VECTORS];
        for (int v = 0; v < VECTORS; v++) x[v] = load(panel + (i * VECTORS + v) * LANES);
        for (int row = 0; row < SUM_ROWS; row++) {
            vec weight = broadcast(w.first[row * w.stride + i]);
            for (int v = 0; v < VECTORS; v++) sums[row][v] += weight * x[v];
        }
    }
    for (int row = 0; row < SUM_ROWS; row++)
        for (int v = 0; v < VECTORS; v++) store(out + row * PANEL + v * LANES, sums[row][v]);
}

// The same for LANES rows of weights: lanes become outputs again, and lie token after token in
// `out`, [tokens of the panel, LANES].
INLINE void multiply_rows(WeightRows w, const float* panel, int vectors, int64_t k, float* out) {
    float sums[LANES * PANEL];
    for (int row = 0; row < LANES; row += SUM_ROWS) {
        WeightRows some{w.first + row * w.stride, w.stride};
        switch (vectors) {
            case 1: multiply_panel<1>(some, panel, k, sums + row * PANEL); break;
            case 2: multiply_panel<2>(some, panel, k, sums + row * PANEL); break;
            default: multiply_panel<3>(some, panel, k, sums + row * PANEL);
        }
    }
    for (int v = 0; v < vectors; v++) {
        vec square[LANES];
        for (int l = 0; l < LANES; l++) square[l] = load(sums + l * PANEL + v * LANES);
        transpose(square);
        for (int l = 0; l < LANES; l++) store(out + (v * LANES + l) * LANES, square[l]);
    }
}

// One thread's outputs of `matmul`.
class Matmul {
    const MatmulArgs& args_;
    Panels panels_;
    float* tile_;  // unpacked weights

    // A stride that is no power of two: the rows of a tile would share few sets of a cache.
    static int64_t tile_stride(int64_t k) { return k + LANES; }
    static int64_t tile_rows(int64_t k) {
        return std::max<int64_t>(LANES, WEIGHT_TILE_FLOATS / tile_stride(k) / LANES * LANES);
    }

    // Rows as they lie where they are float32 and complete a vector of outputs, else a copy.
    WeightRows rows_of(IndexRange rows) const {
        const MatrixPart& part = args_.weight.parts[0];
        int64_t k = args_.k, stride = tile_stride(k);
        bool in_place = args_.weight.num_parts == 1 && part.format == GGML_F32;
        if (in_place && rows.size() % LANES == 0)
            return {reinterpret_cast<const float*>(part.row(rows.begin)), k};
        for_parts(args_.weight, rows, [&](const MatrixPart& part, int64_t first, IndexRange own) {
            with_format(part.format, [&](auto format) {
                for (int64_t i = own.begin; i < own.end; i++)
                    unpack_row<decltype(format)>(part.row(i), k,
                                                 tile_ + (first + i - rows.begin) * stride);
            });
        });
        int64_t missing = round_up(rows.size(), LANES) - rows.size();
        std::memset(tile_ + rows.size() * stride, 0, missing * stride * sizeof(float));
        return {tile_, stride};
    }

    // Adds bias and residual to the outputs of a panel, and writes them.
    void finish(const float* sums, int64_t panel, IndexRange outputs) const {
        int64_t n = outputs.size(), end = std::min(args_.rows, (panel + 1) * PANEL);
        const float* bias = static_cast<const float*>(args_.bias);
        const float* residual = static_cast<const float*>(args_.residual);
        for (int64_t token = panel * PANEL; token < end; token++, sums += LANES) {
            vec value = load(sums);
            if (bias) value += load_tail(bias + outputs.begin, n);
            if (residual)
                value += load_tail(residual + token * args_.residual_stride + outputs.begin, n);
            store_tail(static_cast<float*>(args_.out) + token * args_.n + outputs.begin, value, n);
        }
    }

public:
    Matmul(const MatmulArgs& args, Panels panels, float* tile)
        : args_(args), panels_(panels), tile_(tile) {}

    static int64_t tile_floats(int64_t k) { return tile_rows(k) * tile_stride(k); }

    void transpose_tokens(IndexRange vectors) const {
        for (int64_t vector = vectors.begin; vector < vectors.end; vector++)
            panels_.transpose_tokens(static_cast<const float*>(args_.x), args_.x_stride, vector);
    }

    void multiply(IndexRange outputs) const {
        int64_t height = tile_rows(args_.k);
        for (int64_t first = outputs.begin; first < outputs.end; first += height) {
            IndexRange rows{first, std::min(outputs.end, first + height)};
            WeightRows w = rows_of(rows);
            for (int64_t panel = 0; panel * SUM_VECTORS < panels_.vectors(); panel++)
                for (int64_t n = first; n < rows.end; n += LANES) {
                    float sums[PANEL * LANES];
                    multiply_rows({w.first + (n - first) * w.stride, w.stride},
                                  panels_.panel(panel), panels_.vectors_of(panel), args_.k, sums);
                    finish(sums, panel, {n, std::min<int64_t>(rows.end, n + LANES)});
                }
        }
    }
};

// The scratch memory of `matmul`.
inline int64_t matmul_floats(const MatmulArgs& args) {
    int64_t panels = round_up(Panels::floats(args.rows, args.k), 16);
    return panels + args.num_threads * round_up(Matmul::tile_floats(args.k), 16) + 16;
}

// One thread's part of a matrix product.
inline void matmul(const MatmulArgs& args, Scratch& scratch, int thread, int num_threads) {
    ScratchAllocator allocator{scratch.begin()};
    Panels panels{allocator.allocate(Panels::floats(args.rows, args.k)), args.rows, args.k};
    int64_t tile_floats = round_up(Matmul::tile_floats(args.k), 16);
    float* tiles = allocator.allocate(num_threads * tile_floats);
    Matmul product(args, panels, tiles + thread * tile_floats);
    product.transpose_tokens(thread_range(panels.vectors(), thread, num_threads, 1));
    Prefetcher nothing;
    scratch.barrier.wait(num_threads, nothing);
    product.multiply(thread_range(args.n, thread, num_threads, LANES));
}
