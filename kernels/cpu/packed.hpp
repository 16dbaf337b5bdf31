// GEMV straight from blocks: codes become floats in registers, and sums are in float32. The weights
// of a block are scale * code + minimum: their dot product with activations is the scale times that
// of the codes, plus the minimum times the sum of the activations, which is computed once.
#pragma once

#include <type_traits>

#include "block_formats.hpp"
#include "gemv.hpp"

// How activations lie for a format, unit after unit: first in the order of the codes, then the
// sums that the minimums are multiplied with.
template <class F>
struct Arrangement {
    typedef typename F::Unit Unit;
    static constexpr int rows = Unit::rows;
    static constexpr int bytes = Unit::blocks * F::bytes, elements = Unit::blocks * F::elements;
    static constexpr int codes = Unit::vectors * 4 * LANES;
    static constexpr int sums = rows * Unit::sum_vectors * LANES, floats = codes + sums;

    // A row may end within a unit: then the last unit begins earlier, and activations that have
    // been multiplied before are zero in it.
    template <class X>
    static void arrange(const X* x, int64_t k, float* out) {
        for (int64_t begin = 0; begin < k; begin += elements, out += floats) {
            float values[elements] = {};
            int64_t first = begin + elements <= k || k < elements ? begin : k - elements;
            int64_t count = k - begin < elements ? k - begin : elements;
            to_float32(x + begin, count, values + (begin - first));
            arrange_unit(values, out);
        }
    }
    static void arrange_unit(const float* values, float* out) {
        float* sums_out = out + codes;
        for (int i = 0; i < sums; i++) sums_out[i] = 0;
        for (int vector = 0; vector < Unit::vectors; vector++)
            for (int lane = 0; lane < LANES; lane++) {
                int weight = Unit::weight_of(vector, lane);
                const float* four = values + weight;
                float* place = out + vector * 4 * LANES + lane;
                place[0] = four[0];
                place[LANES] = four[1] * 0x1p-8f;
                place[2 * LANES] = four[2] * 0x1p-16f;
                place[3 * LANES] = four[3] * 0x1p-24f;
                for (int row = 0; row < rows; row++)
                    sums_out[Unit::sum_of(row, weight)] += (four[0] + four[1]) + (four[2] + four[3]);
            }
    }
};

// Formats without a unit take activations as they are.
template <class F>
    requires(!requires { typename F::Unit; })
struct Arrangement<F> {
    static constexpr int rows = 1, bytes = F::bytes, elements = F::elements, floats = elements;

    template <class X>
    static void arrange(const X* x, int64_t k, float* out) {
        to_float32(x, k, out);
        for (int64_t i = k; i < round_up(k); i++) out[i] = 0;
    }
};

// Memory for one arranged row of any format.
INLINE int64_t arranged_floats(int64_t k) { return round_up(k, 8 * LANES) / 8 * 10; }

// Vector V of the codes of every row, times R rows of activations: dots[row * R + r].
template <int R, int VECTOR, class Unit, int... ROW>
INLINE void add_vector(const Unit& unit, const float* x, int64_t x_stride, vec* dots,
                       std::integer_sequence<int, ROW...>) {
    uvec codes[] = {unit.template codes<ROW, VECTOR>()...};
    for (int byte = 0; byte < 4; byte++)
        for (int r = 0; r < R; r++) {
            vec activations = load(x + r * x_stride + (VECTOR * 4 + byte) * LANES);
            for (int row = 0; row < Unit::rows; row++) {
                vec values = to_float(codes[row] & uint32_t(Unit::max_code) << 8 * byte);
                dots[row * R + r] += values * activations;
            }
        }
}

// Adds `dots` times the scales that vector V has, and begins new ones.
template <int R, int VECTOR, class Unit, int... ROW>
INLINE void add_scaled(const Unit& unit, vec* dots, vec* totals,
                       std::integer_sequence<int, ROW...>) {
    vec scales[] = {unit.template scale<ROW, VECTOR>()...};
    for (int i = 0; i < Unit::rows * R; i++) {
        totals[i] += dots[i] * scales[i / R];
        dots[i] = vec{};
    }
}

template <int R, class Unit, int... VECTOR>
INLINE void add_unit(const Unit& unit, const float* x, int64_t x_stride, vec* totals,
                     std::integer_sequence<int, VECTOR...>) {
    Indices<Unit::rows> rows;
    vec dots[Unit::rows * R] = {};
    auto add = [&](auto vector) INLINE_LAMBDA {
        add_vector<R, vector>(unit, x, x_stride, dots, rows);
        if ((vector + 1) % Unit::vectors_of_scale == 0)
            add_scaled<R, vector>(unit, dots, totals, rows);
    };
    (add(std::integral_constant<int, VECTOR>()), ...);
    const float* sums = x + Unit::vectors * 4 * LANES;
    for (int i = 0; i < Unit::sum_vectors; i++)
        for (int row = 0; row < Unit::rows; row++)
            for (int r = 0; r < R; r++)
                totals[row * R + r] +=
                    unit.minimum(i) *
                    load(sums + r * x_stride + (row * Unit::sum_vectors + i) * LANES);
}

// The blocks of a unit, times R rows of activations: totals[row * R + r].
template <class F, int R>
INLINE void add_blocks(const uint8_t* a, const uint8_t* b, const float* x, int64_t x_stride,
                       vec* totals) {
    typename F::Unit unit(a, b);
    add_unit<R>(unit, x, x_stride, totals, Indices<F::Unit::vectors>());
}

// Codes of eight bits: one vector of floats at a time, with activations in their own order.
template <class F, int R>
    requires requires { typename F::Values; }
INLINE void add_blocks(const uint8_t* p, const uint8_t*, const float* x, int64_t x_stride,
                       vec* totals) {
    typename F::Values block(p);
    vec dots[R] = {};
    for (int i = 0; i < F::elements; i += LANES) {
        vec values = block.at(i);
        for (int r = 0; r < R; r++) dots[r] += values * load(x + r * x_stride + i);
    }
    for (int r = 0; r < R; r++) totals[r] += dots[r] * block.scale;
}

// Dot products of the row at `a`, and of the one at `b` in formats that take two, with R rows of
// activations: totals[row * R + r].
template <class F, int R>
INLINE void dot_packed_rows(const uint8_t* a, const uint8_t* b, int64_t row_bytes, const float* x,
                            int64_t x_stride, vec* totals) {
    typedef Arrangement<F> A;
    const uint8_t* next = a + PREFETCH_BYTES;
    uint8_t padded[2][A::bytes];
    if (row_bytes < A::bytes) {
        std::memset(padded, 0, sizeof padded);
        std::memcpy(padded[0], a, row_bytes);
        std::memcpy(padded[1], b, row_bytes);
        a = padded[0];
        b = padded[1];
        row_bytes = A::bytes;
    }
    for (int64_t begin = 0; begin < row_bytes; begin += A::bytes, x += A::floats) {
        int64_t at = begin + A::bytes <= row_bytes ? begin : row_bytes - A::bytes;
        for (int line = 0; line < A::rows * A::bytes; line += 64)
            __builtin_prefetch(next + line, 0, 3);  // first-level cache: arithmetic cannot hide more
        next += A::rows * A::bytes;
        add_blocks<F, R>(a + at, b + at, x, x_stride, totals);
    }
}

// LANES outputs, or the `n` that remain, of R rows: as `gemv_tile`.
template <class F, int R>
void packed_gemv_tile(const uint8_t* w, int64_t row_bytes, int64_t n, const float* x,
                      int64_t x_stride, float* out, int64_t out_stride) {
    constexpr int rows = Arrangement<F>::rows;
    vec sums[R * LANES] = {};
    for (int64_t j = 0; j < n; j += rows) {
        const uint8_t* a = w + j * row_bytes;
        vec totals[rows * R] = {};
        dot_packed_rows<F, R>(a, j + 1 < n ? a + row_bytes : a, row_bytes, x, x_stride, totals);
        for (int row = 0; row < rows; row++)
            for (int r = 0; r < R; r++) sums[r * LANES + j + row] = totals[row * R + r];
    }
    for (int r = 0; r < R; r++)
        store_tail(out + r * out_stride, horizontal_sums(sums + r * LANES), n);
}

constexpr int PACKED_ROW_BLOCK = 4;  // arranged rows of activations that the first-level cache has

// Outputs [begin, end) of all rows: as `gemv`. Beyond PACKED_ROW_BLOCK rows, the weights of a tile
// are unpacked again.
template <class F>
void packed_gemv(const uint8_t* w, int64_t row_bytes, int64_t begin, int64_t end, int rows,
                 const float* x, int64_t x_stride, float* out, int64_t out_stride) {
    for (int64_t n = begin; n < end; n += LANES)
        for (int r = 0; r < rows; r += PACKED_ROW_BLOCK) {
            auto tile = [&](auto gemv_tile) {
                gemv_tile(w + n * row_bytes, row_bytes, end - n < LANES ? end - n : LANES,
                          x + r * x_stride, x_stride, out + r * out_stride + n, out_stride);
            };
            switch (rows - r) {
                case 1: tile(packed_gemv_tile<F, 1>); break;
                case 2: tile(packed_gemv_tile<F, 2>); break;
                case 3: tile(packed_gemv_tile<F, 3>); break;
                default: tile(packed_gemv_tile<F, 4>);
            }
        }
}

template <class F>
    requires requires { typename F::Number; }
void packed_gemv(const uint8_t* w, int64_t row_bytes, int64_t begin, int64_t end, int rows,
                 const float* x, int64_t x_stride, float* out, int64_t out_stride) {
    gemv(reinterpret_cast<const typename F::Number*>(w), row_bytes / F::bytes, begin, end, rows, x,
         x_stride, out, out_stride);
}
