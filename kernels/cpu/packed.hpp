// GEMV straight from blocks: codes become floats in registers, and sums are in float32. The
// weights of a block are d * code + m: their dot product with activations is d times that of the
// codes, plus m times the sum of the activations, which is made once.
#pragma once

#include "block_formats.hpp"
#include "gemv.hpp"

// How activations lie for a format, unit after unit: first in the order of the codes, then the
// sums that the minimums are multiplied with.
template <class F>
struct Arrangement {
    typedef typename F::Unit Unit;
    static constexpr int bytes = Unit::blocks * F::bytes, elements = Unit::blocks * F::elements;
    static constexpr int codes = Unit::vectors * 4 * LANES, floats = codes + Unit::sums;

    static int64_t units(int64_t k) { return (k + elements - 1) / elements; }

    // A row ends within a unit: its last unit begins earlier, and activations that have been
    // multiplied before are zero in it.
    static int64_t first_block(int64_t unit, int64_t k) {
        int64_t last = k / F::elements - Unit::blocks;
        int64_t block = unit * Unit::blocks;
        return block < last || last < 0 ? block : last;
    }

    template <class X>
    static void arrange(const X* x, int64_t k, float* out) {
        for (int64_t unit = 0; unit < units(k); unit++, out += floats) {
            float values[elements] = {};
            int64_t first = first_block(unit, k) * F::elements, done = unit * elements - first;
            int64_t end = k - first < elements ? k - first : elements;
            to_float32(x + first + done, end - done, values + done);
            arrange_unit(values, out);
        }
    }
    static void arrange_unit(const float* values, float* out) {
        float* sums = out + codes;
        for (int i = 0; i < Unit::sums; i++) sums[i] = 0;
        for (int vector = 0; vector < Unit::vectors; vector++)
            for (int lane = 0; lane < LANES; lane++) {
                int weight = Unit::weight_of(vector, lane);
                const float* four = values + weight;
                float* place = out + vector * 4 * LANES + lane;
                place[0] = four[0];
                place[LANES] = four[1] * 0x1p-8f;
                place[2 * LANES] = four[2] * 0x1p-16f;
                place[3 * LANES] = four[3] * 0x1p-24f;
                sums[Unit::sum_of(weight)] += four[0] + four[1] + four[2] + four[3];
            }
    }
};

template <>
struct Arrangement<Q8_0> {
    static constexpr int bytes = Q8_0::bytes, elements = 32, floats = 32;
    static int64_t units(int64_t k) { return k / elements; }
    static int64_t first_block(int64_t unit, int64_t) { return unit; }

    template <class X>
    static void arrange(const X* x, int64_t k, float* out) {
        to_float32(x, k, out);
    }
};

// Memory for one arranged row of any format.
INLINE int64_t arranged_floats(int64_t k) { return round_up(k, 8 * LANES) / 8 * 9; }

// A vector of codes times R rows of activations.
template <int R, int VECTOR, class Unit>
INLINE void add_vector(const Unit& unit, const float* x, int64_t x_stride, vec* totals) {
    uvec codes = unit.template codes<VECTOR>();
    vec dots[R] = {};
    for (int byte = 0; byte < 4; byte++) {
        vec values = to_float(codes & uint32_t(Unit::max_code) << 8 * byte);
        for (int r = 0; r < R; r++)
            dots[r] += values * load(x + r * x_stride + (VECTOR * 4 + byte) * LANES);
    }
    for (int r = 0; r < R; r++) totals[r] += dots[r] * unit.template scale<VECTOR>();
}

template <int R, class Unit, int... V>
INLINE void add_unit(const Unit& unit, const float* x, int64_t x_stride, vec* totals,
                     std::integer_sequence<int, V...>) {
    (add_vector<R, V>(unit, x, x_stride, totals), ...);
    const float* sums = x + sizeof...(V) * 4 * LANES;
    for (int i = 0; i < Unit::sums / LANES; i++)
        for (int r = 0; r < R; r++)
            totals[r] += unit.minimum(i) * load(sums + r * x_stride + i * LANES);
}

template <class F, int R>
INLINE void add_blocks(const uint8_t* blocks, const float* x, int64_t x_stride, vec* totals) {
    if constexpr (F::bytes != Q8_0::bytes) {
        typename F::Unit unit(blocks);
        add_unit<R>(unit, x, x_stride, totals, Indices<F::Unit::vectors>());
    } else {
        vec dots[R] = {};
        for (int i = 0; i < 32; i += LANES) {
            vec values = load_signed_bytes(blocks + 2 + i);
            for (int r = 0; r < R; r++) dots[r] += values * load(x + r * x_stride + i);
        }
        vec scale = broadcast_half(blocks);
        for (int r = 0; r < R; r++) totals[r] += dots[r] * scale;
    }
}

// Dot products of one row of blocks with R rows of activations.
template <class F, int R>
INLINE void dot_packed_row(const uint8_t* row, int64_t k, const float* x, int64_t x_stride,
                           vec* sums) {
    typedef Arrangement<F> A;
    vec totals[R] = {};
    int64_t row_bytes = k / F::elements * F::bytes;
    if (row_bytes < A::bytes) {
        uint8_t padded[A::bytes] = {};
        std::memcpy(padded, row, row_bytes);
        add_blocks<F, R>(padded, x, x_stride, totals);
    } else {
        int64_t last = row_bytes - A::bytes;
        for (int64_t at = 0, unit = 0; unit < A::units(k); unit++, at += A::bytes) {
            const uint8_t* blocks = row + (at < last ? at : last);
            for (int line = 0; line < A::bytes; line += 64)
                __builtin_prefetch(blocks + PREFETCH_BYTES + line, 0, 2);
            add_blocks<F, R>(blocks, x + unit * A::floats, x_stride, totals);
        }
    }
    for (int r = 0; r < R; r++) sums[r * LANES] = totals[r];
}

// LANES outputs, or the `n` that remain, of R rows: as `gemv_tile`.
template <class F, int R>
void packed_gemv_tile(const uint8_t* rows, int64_t k, int64_t n, const float* x, int64_t x_stride,
                      float* out, int64_t out_stride) {
    int64_t row_bytes = k / F::elements * F::bytes;
    vec sums[R * LANES] = {};
    for (int64_t j = 0; j < n; j++)
        dot_packed_row<F, R>(rows + j * row_bytes, k, x, x_stride, sums + j);
    for (int r = 0; r < R; r++)
        store_tail(out + r * out_stride, horizontal_sums(sums + r * LANES), n);
}

// Outputs [begin, end) of all rows: as `gemv`. Beyond four rows, the weights of a tile are unpacked
// again from the first-level cache: activations of more rows would not fit into it.
template <class F>
void packed_gemv(const uint8_t* w, int64_t k, int64_t begin, int64_t end, int rows, const float* x,
                 int64_t x_stride, float* out, int64_t out_stride) {
    int64_t row_bytes = k / F::elements * F::bytes;
    for (int64_t n = begin; n < end; n += LANES)
        for (int r = 0; r < rows; r += 4) {
            const uint8_t* tile = w + n * row_bytes;
            int64_t count = end - n < LANES ? end - n : LANES;
            const float* tile_x = x + r * x_stride;
            float* tile_out = out + r * out_stride + n;
            switch (rows - r) {
                case 1: packed_gemv_tile<F, 1>(tile, k, count, tile_x, x_stride, tile_out, out_stride); break;
                case 2: packed_gemv_tile<F, 2>(tile, k, count, tile_x, x_stride, tile_out, out_stride); break;
                case 3: packed_gemv_tile<F, 3>(tile, k, count, tile_x, x_stride, tile_out, out_stride); break;
                default: packed_gemv_tile<F, 4>(tile, k, count, tile_x, x_stride, tile_out, out_stride);
            }
        }
}
