// Rows of a weight matrix times a few rows of activations: a reading of the weights, each byte once.
//
// A thread asks for its rows one after the other, as one stream: two interleaved streams halved the bandwidth of the
// machine this was written on. Everything else is done between the arrival of two cache lines.
#pragma once

#include "vector.hpp"

constexpr int MAX_ROWS = 16;  // of activations; more are a matter for a real matrix product
constexpr int BLOCK = 8;      // rows whose sums are kept in registers together

// What the activations are rounded to in front of a product: bfloat16 where the processor multiplies it, as torch does.
#if defined(__AVX512BF16__)
template <class T> struct OperandOf { typedef float type; };
template <> struct OperandOf<bf16> { typedef bf16 type; };
#else
template <class T> struct OperandOf { typedef float type; };
#endif
template <class T> using Operand = typename OperandOf<T>::type;

constexpr int64_t PREFETCH = 4096;  // bytes ahead, into the second-level cache

// One step along a row: `STEP` weights with as many activations of each row.
template <class T, class X> struct Step;

template <class T> struct Step<T, float> {
    static constexpr int size = W;
    vec w;
    INLINE explicit Step(const T* p) : w(load(p)) {}
    INLINE vec add(vec sum, const float* x) const { return sum + w * load(x); }
};

#if defined(__AVX512BF16__)
template <> struct Step<bf16, bf16> {
    static constexpr int size = 2 * W;
    __m512i w;
    INLINE explicit Step(const bf16* p) : w(raw<__m512i>(p)) {}
    INLINE vec add(vec sum, const bf16* x) const {
        return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)raw<__m512i>(x));
    }
};
#endif

// N rows of weights, one under the other, with R rows of activations, whose rows are zero from k up to a whole number
// of steps. What is asked for ahead is one stream, in the order of memory.
template <int R, int N, class T, class X>
INLINE void rows_product(const T* w, int64_t k, const X* x, int64_t x_stride, vec* sums) {
    typedef Step<T, X> S;
    constexpr int chains = R * N == 1 ? 4 : R * N <= 3 ? 2 : 1;  // independent sums hide the latency of an addition
    vec total[chains][N][R] = {};
    const char* next = reinterpret_cast<const char*>(w) + PREFETCH;
    auto add = [&](const T* at, int64_t stride, int64_t i, int chain) INLINE_LAMBDA {
        for (int j = 0; j < N; j++) {
            S step(at + j * stride);
            for (int r = 0; r < R; r++) total[chain][j][r] = step.add(total[chain][j][r], x + r * x_stride + i);
        }
    };
    auto fetch = [&]() INLINE_LAMBDA {
        for (int j = 0; j < N; j++, next += S::size * sizeof(T)) __builtin_prefetch(next, 0, 2);
    };
    int64_t i = 0;
    for (; i + chains * S::size <= k; i += chains * S::size)
        for (int c = 0; c < chains; c++) {
            fetch();
            add(w + i + c * S::size, k, i + c * S::size, c);
        }
    for (; i + S::size <= k; i += S::size) {
        fetch();
        add(w + i, k, i, 0);
    }
    if (i < k) {
        T part[N][S::size] = {};
        for (int j = 0; j < N; j++) std::memcpy(part[j], w + j * k + i, (k - i) * sizeof(T));
        add(part[0], S::size, i, 0);
    }
    for (int j = 0; j < N; j++)
        for (int r = 0; r < R; r++) {
            vec all = total[0][j][r];
            for (int c = 1; c < chains; c++) all += total[c][j][r];
            sums[r * W + j] = all;
        }
}

// W outputs, or the `n` that are left, of R rows: out[r * out_stride + 0..n).
template <int R, class T, class X>
void tile_product(const T* w, int64_t k, int64_t n, const X* x, int64_t x_stride, float* out, int64_t out_stride) {
    constexpr int N = R >= 3 ? 2 : 1;  // where activations are read more often than weights, two rows share them
    vec sums[R * W];
    int64_t j = 0;
    for (; j + N <= n; j += N) rows_product<R, N>(w + j * k, k, x, x_stride, sums + j);
    for (; j < n; j++) rows_product<R, 1>(w + j * k, k, x, x_stride, sums + j);
    for (; j < W; j++)
        for (int r = 0; r < R; r++) sums[r * W + j] = vec{};
    for (int r = 0; r < R; r++) store_some(out + r * out_stride, sums_of(sums + r * W), n);
}

template <class T, class X>
INLINE void tile_rows(int rows, const T* w, int64_t k, int64_t n, const X* x, int64_t x_stride, float* out, int64_t s) {
    switch (rows) {
        case 1: return tile_product<1>(w, k, n, x, x_stride, out, s);
        case 2: return tile_product<2>(w, k, n, x, x_stride, out, s);
        case 3: return tile_product<3>(w, k, n, x, x_stride, out, s);
        case 4: return tile_product<4>(w, k, n, x, x_stride, out, s);
        case 5: return tile_product<5>(w, k, n, x, x_stride, out, s);
        case 6: return tile_product<6>(w, k, n, x, x_stride, out, s);
        case 7: return tile_product<7>(w, k, n, x, x_stride, out, s);
        default: return tile_product<8>(w, k, n, x, x_stride, out, s);
    }
}

// Outputs [from, to) of all rows: out[r * out_stride + n]. Of more than BLOCK rows, the later ones find the weights of
// a tile in the first-level cache.
template <class T, class X>
void product(const T* w, int64_t k, int64_t from, int64_t to, int rows, const X* x, int64_t x_stride, float* out,
             int64_t out_stride) {
    for (int64_t n = from; n < to; n += W)
        for (int r = 0; r < rows; r += BLOCK)
            tile_rows(rows - r < BLOCK ? rows - r : BLOCK, w + n * k, k, to - n < W ? to - n : W, x + r * x_stride,
                      x_stride, out + r * out_stride + n, out_stride);
}

// ---- in front of a product ----------------------------------------------------------------------

// One normalisation; `weight` null: none. A LayerNorm where there is a bias, else an RMSNorm.
template <class T> struct Norm {
    const T* weight;
    const T* bias;
    float eps;
};

// A row of activations, normalised in float32 and rounded once: `out` is zero from k on.
template <class T, class X>
void prepare_row(const float* x, int64_t k, Norm<T> norm, X* out) {
    float mean = 0, scale = 1;
    if (norm.weight) {
        vec total = {};
        if (norm.bias) {
            for (int64_t i = 0; i < k; i += W) total += load_some(x + i, k - i);
            mean = sum(total) / k;
            total = vec{};
        }
        for (int64_t i = 0; i + W <= k; i += W) {
            vec centred = load(x + i) - mean;
            total += centred * centred;
        }
        float square = sum(total);
        for (int64_t i = k / W * W; i < k; i++) square += (x[i] - mean) * (x[i] - mean);
        scale = 1 / std::sqrt(square / k + norm.eps);
    }
    for (int64_t i = 0; i < padded(k); i += W) {
        vec value = {};
        if (i < k) {
            value = (load_some(x + i, k - i) - mean) * scale;
            if (norm.weight) value *= load_some(norm.weight + i, k - i);
            if (norm.bias) value += load_some(norm.bias + i, k - i);
            if (k - i < W)
                for (int64_t j = k - i; j < W; j++) value[j] = 0;
        }
        store(out + i, value);
    }
}

template <class T, class X>
void prepare(const float* x, int64_t x_stride, int64_t k, int rows, Norm<T> norm, X* out) {
    for (int r = 0; r < rows; r++) prepare_row(x + r * x_stride, k, norm, out + r * padded(k));
}

// ---- behind a product ---------------------------------------------------------------------------

template <class T>
INLINE void add_bias(float* out, const T* bias, int64_t from, int64_t to) {
    if (bias)
        for (int64_t n = from; n < to; n += W)
            store_some(out + n, load_some(out + n, to - n) + load_some(bias + n, to - n), to - n);
}

// gate[from..to) becomes activation(gate), times `up` where there is one.
INLINE void activate(float* gate, const float* up, int32_t activation, int64_t from, int64_t to) {
    for (int64_t n = from; n < to; n += W) {
        vec value = activated(load_some(gate + n, to - n), activation);
        store_some(gate + n, up ? value * load_some(up + n, to - n) : value, to - n);
    }
}
