// GEMV for a few rows of activations: every byte of the weights is read once. Its prologue (norms)
// and epilogue (bias, activation) are here too.
//
// A thread reads its rows one after the other, as one stream: two interleaved streams halved the
// bandwidth of the machine this was written on. Arithmetic is hidden behind the cache lines.
#pragma once

#include "vector.hpp"

constexpr int MAX_ROWS = 16;  // of activations; more belong to matmul.hpp, or a library
constexpr int ROW_BLOCK = 8;  // rows whose sums are kept in registers together

// The type of activations in a GEMV: bfloat16 where the processor multiplies it, as torch does.
#if defined(__AVX512BF16__)
template <class T>
struct OperandOf {
    typedef float type;
};
template <>
struct OperandOf<bf16> {
    typedef bf16 type;
};
#else
template <class T>
struct OperandOf {
    typedef float type;
};
#endif
template <class T>
using Operand = typename OperandOf<T>::type;

constexpr int64_t PREFETCH_BYTES = 4096;  // ahead, into the second-level cache

// `size` consecutive weights of a row, multiplied with as many activations of each row.
template <class T, class X>
struct WeightChunk;

template <class T>
struct WeightChunk<T, float> {
    static constexpr int size = LANES;
    vec w;
    INLINE explicit WeightChunk(const T* p) : w(load(p)) {}
    INLINE vec fma(vec acc, const float* x) const { return acc + w * load(x); }
};

#if defined(__AVX512BF16__)
template <>
struct WeightChunk<bf16, bf16> {
    static constexpr int size = 2 * LANES;
    __m512i w;
    INLINE explicit WeightChunk(const bf16* p) : w(load_bytes<__m512i>(p)) {}
    INLINE vec fma(vec acc, const bf16* x) const {
        return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)w, (__m512bh)load_bytes<__m512i>(x));
    }
};
#endif

// Dot products of N adjacent rows of weights with R rows of activations, which are zero from k up
// to a whole number of chunks. Prefetching is one stream, in the order of memory.
template <int R, int N, class T, class X>
INLINE void dot_rows(const T* w, int64_t k, const X* x, int64_t x_stride, vec* sums) {
    typedef WeightChunk<T, X> S;
    // Independent sums hide the latency of an addition.
    constexpr int accumulators = R * N == 1 ? 4 : R * N <= 3 ? 2 : 1;
    vec acc[accumulators][N][R] = {};
    const char* next = reinterpret_cast<const char*>(w) + PREFETCH_BYTES;
    auto add_chunk = [&](const T* at, int64_t stride, int64_t i, int c) INLINE_LAMBDA {
        for (int j = 0; j < N; j++) {
            S chunk(at + j * stride);
            for (int r = 0; r < R; r++)
                acc[c][j][r] = chunk.fma(acc[c][j][r], x + r * x_stride + i);
        }
    };
    auto prefetch = [&]() INLINE_LAMBDA {
        for (int j = 0; j < N; j++, next += S::size * sizeof(T)) __builtin_prefetch(next, 0, 2);
    };
    int64_t i = 0;
    for (; i + accumulators * S::size <= k; i += accumulators * S::size)
        for (int c = 0; c < accumulators; c++) {
            prefetch();
            add_chunk(w + i + c * S::size, k, i + c * S::size, c);
        }
    for (; i + S::size <= k; i += S::size) {
        prefetch();
        add_chunk(w + i, k, i, 0);
    }
    if (i < k) {
        T tail[N][S::size] = {};
        for (int j = 0; j < N; j++) std::memcpy(tail[j], w + j * k + i, (k - i) * sizeof(T));
        add_chunk(tail[0], S::size, i, 0);
    }
    for (int j = 0; j < N; j++)
        for (int r = 0; r < R; r++) {
            vec dot = acc[0][j][r];
            for (int c = 1; c < accumulators; c++) dot += acc[c][j][r];
            sums[r * LANES + j] = dot;
        }
}

// LANES outputs, or the `n` that remain, of R rows: out[r * out_stride + 0..n).
template <int R, class T, class X>
void gemv_tile(const T* w, int64_t k, int64_t n, const X* x, int64_t x_stride, float* out,
               int64_t out_stride) {
    // Where activations are read more often than weights, two rows of weights share them.
    constexpr int N = R >= 3 ? 2 : 1;
    vec sums[R * LANES];
    int64_t j = 0;
    for (; j + N <= n; j += N) dot_rows<R, N>(w + j * k, k, x, x_stride, sums + j);
    for (; j < n; j++) dot_rows<R, 1>(w + j * k, k, x, x_stride, sums + j);
    for (; j < LANES; j++)
        for (int r = 0; r < R; r++) sums[r * LANES + j] = vec{};
    for (int r = 0; r < R; r++)
        store_tail(out + r * out_stride, horizontal_sums(sums + r * LANES), n);
}

template <class T, class X>
INLINE void gemv_rows(int rows, const T* w, int64_t k, int64_t n, const X* x, int64_t x_stride,
                      float* out, int64_t s) {
    switch (rows) {
        case 1: return gemv_tile<1>(w, k, n, x, x_stride, out, s);
        case 2: return gemv_tile<2>(w, k, n, x, x_stride, out, s);
        case 3: return gemv_tile<3>(w, k, n, x, x_stride, out, s);
        case 4: return gemv_tile<4>(w, k, n, x, x_stride, out, s);
        case 5: return gemv_tile<5>(w, k, n, x, x_stride, out, s);
        case 6: return gemv_tile<6>(w, k, n, x, x_stride, out, s);
        case 7: return gemv_tile<7>(w, k, n, x, x_stride, out, s);
        default: return gemv_tile<8>(w, k, n, x, x_stride, out, s);
    }
}

// Outputs [begin, end) of all rows: out[r * out_stride + n]. Beyond ROW_BLOCK rows, the weights of
// a tile are read again from the first-level cache.
template <class T, class X>
void gemv(const T* w, int64_t k, int64_t begin, int64_t end, int rows, const X* x, int64_t x_stride,
          float* out, int64_t out_stride) {
    for (int64_t n = begin; n < end; n += LANES)
        for (int r = 0; r < rows; r += ROW_BLOCK)
            gemv_rows(rows - r < ROW_BLOCK ? rows - r : ROW_BLOCK, w + n * k, k,
                      end - n < LANES ? end - n : LANES, x + r * x_stride, x_stride,
                      out + r * out_stride + n, out_stride);
}

// ---- prologue -----------------------------------------------------------------------------------

// `weight` null: no norm. A LayerNorm where there is a bias, else an RMSNorm.
template <class T>
struct Norm {
    const T* weight;
    const T* bias;
    float eps;
};

// A row of activations, normalised in float32 and rounded once: `out` is zero from k on.
template <class T, class X>
void norm_row(const float* x, int64_t k, Norm<T> norm, X* out) {
    float mean = 0, scale = 1;
    if (norm.weight) {
        vec acc = {};
        if (norm.bias) {
            for (int64_t i = 0; i < k; i += LANES) acc += load_tail(x + i, k - i);
            mean = horizontal_sum(acc) / k;
            acc = vec{};
        }
        for (int64_t i = 0; i + LANES <= k; i += LANES) {
            vec centered = load(x + i) - mean;
            acc += centered * centered;
        }
        float sum_of_squares = horizontal_sum(acc);
        for (int64_t i = k / LANES * LANES; i < k; i++)
            sum_of_squares += (x[i] - mean) * (x[i] - mean);
        scale = 1 / std::sqrt(sum_of_squares / k + norm.eps);
    }
    for (int64_t i = 0; i < round_up(k); i += LANES) {
        vec value = {};
        if (i < k) {
            value = (load_tail(x + i, k - i) - mean) * scale;
            if (norm.weight) value *= load_tail(norm.weight + i, k - i);
            if (norm.bias) value += load_tail(norm.bias + i, k - i);
            if (k - i < LANES)
                for (int64_t j = k - i; j < LANES; j++) value[j] = 0;
        }
        store(out + i, value);
    }
}

template <class T, class X>
void norm_rows(const float* x, int64_t x_stride, int64_t k, int rows, Norm<T> norm, X* out) {
    for (int r = 0; r < rows; r++) norm_row(x + r * x_stride, k, norm, out + r * round_up(k));
}

// ---- epilogue -----------------------------------------------------------------------------------

template <class T>
INLINE void add_bias(float* out, const T* bias, int64_t begin, int64_t end) {
    if (bias)
        for (int64_t n = begin; n < end; n += LANES)
            store_tail(out + n, load_tail(out + n, end - n) + load_tail(bias + n, end - n),
                       end - n);
}

// gate[begin..end) = activation(gate), times `up` where it is not null.
INLINE void activate(float* gate, const float* up, int32_t activation, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n += LANES) {
        vec value = apply_activation(load_tail(gate + n, end - n), activation);
        store_tail(gate + n, up ? value * load_tail(up + n, end - n) : value, end - n);
    }
}
