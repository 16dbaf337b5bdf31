// SIMD vectors of float32, their loads and stores in three dtypes, and functions of them.
//
// GCC's and clang's vector extensions are used throughout: one source for AVX-512, AVX2, and
// processors without either.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));
typedef uint32_t uvec __attribute__((vector_size(LANES * 4)));
typedef uint16_t hvec __attribute__((vector_size(LANES * 2)));
typedef int8_t bvec __attribute__((vector_size(LANES)));

struct bf16 {
    uint16_t bits;
};
struct fp16 {
    uint16_t bits;
};

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

template <class V, class P>
INLINE V load_bytes(const P* p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

INLINE vec as_float(uvec u) { return (vec)u; }
INLINE uvec bits_of(vec v) { return (uvec)v; }
INLINE vec broadcast(float x) { return x - vec{}; }
INLINE vec select(ivec mask, vec if_true, vec if_false) {
    return (vec)(((ivec)if_true & mask) | ((ivec)if_false & ~mask));
}

// ---- loads: LANES elements, converted to float32
// -------------------------------------------------

INLINE vec load(const float* p) { return load_bytes<vec>(p); }

INLINE vec load(const bf16* p) {
    return as_float(__builtin_convertvector(load_bytes<hvec>(p), uvec) << 16);
}

INLINE vec half_to_float(hvec half) {
#if defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps((__m256i)half);
#elif defined(__F16C__)
    return (vec)_mm256_cvtph_ps((__m128i)half);
#else
    // The exponent bits are shifted into place, then scaled, which also converts denormals.
    uvec h = __builtin_convertvector(half, uvec), magnitude = (h & 0x7fff) << 13;
    vec value = as_float(magnitude) * 0x1p112f;
    ivec special = (ivec)(magnitude >= (uvec{} + 0x0f800000u));  // infinity and NaN
    value = select(special, as_float(magnitude | 0x7f800000u), value);
    return as_float(bits_of(value) | (h & 0x8000) << 16);
#endif
}

INLINE vec load(const fp16* p) { return half_to_float(load_bytes<hvec>(p)); }

INLINE vec load(const int8_t* p) {
    return __builtin_convertvector(__builtin_convertvector(load_bytes<bvec>(p), ivec), vec);
}

// ---- stores: LANES elements, rounded to nearest even
// ---------------------------------------------

INLINE void store(float* p, vec v) { std::memcpy(p, &v, sizeof v); }

INLINE void store(bf16* p, vec v) {
#if defined(__AVX512BF16__)
    __m256bh out = _mm512_cvtneps_pbh((__m512)v);  // numbers below 2^-126 become 0
#else
    uvec u = bits_of(v), rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    ivec nan = (ivec)(v != v);
    hvec out = __builtin_convertvector((rounded & (uvec)~nan) | ((uvec)nan & 0x7fc0), hvec);
#endif
    std::memcpy(p, &out, sizeof out);
}

INLINE void store(fp16* p, vec v) {
#if defined(__AVX512F__)
    __m256i out = _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__F16C__)
    __m128i out = _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    uvec u = bits_of(v), sign = u >> 16 & 0x8000, magnitude = u & 0x7fffffff;
    uvec normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    uvec tiny =
        bits_of(as_float(magnitude) + 0.5f) - 0x3f000000;  // the sum rounds to multiples of 2^-24
    ivec is_tiny = (ivec)(magnitude < (uvec{} + 0x38800000u)),
         is_large = (ivec)(magnitude >= (uvec{} + 0x477ff000u));
    uvec half = ((uvec)is_tiny & tiny) | ((uvec)~is_tiny & normal);
    half = ((uvec)is_large & 0x7c00) | ((uvec)~is_large & half);
    ivec nan = (ivec)(v != v);
    hvec out = __builtin_convertvector((((uvec)~nan & half) | ((uvec)nan & 0x7e00)) | sign, hvec);
#endif
    std::memcpy(p, &out, sizeof out);
}

INLINE void store(int8_t* p, vec v) {  // numbers from -127 to 127
    vec rounded = (v + 12582912.0f) - 12582912.0f;
    bvec out = __builtin_convertvector(__builtin_convertvector(rounded, ivec), bvec);
    std::memcpy(p, &out, sizeof out);
}

// ---- the incomplete last vector of a row: nothing beyond `n` elements is accessed
// ----------------

template <class T>
INLINE vec load_tail(const T* p, int64_t n) {
    if (n >= LANES) return load(p);
    T part[LANES] = {};
    std::memcpy(part, p, n * sizeof(T));
    return load(part);
}

template <class T>
INLINE void store_tail(T* p, vec v, int64_t n) {
    if (n >= LANES) return store(p, v);
    T part[LANES];
    store(part, v);
    std::memcpy(p, part, n * sizeof(T));
}

// A row in another dtype.
template <class T>
void to_float32(const T* x, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += LANES) store_tail(out + i, load_tail(x + i, n - i), n - i);
}

template <class T>
void from_float32(const float* x, int64_t n, T* out) {
    for (int64_t i = 0; i < n; i += LANES) store_tail(out + i, load_tail(x + i, n - i), n - i);
}

// ---- sums of lanes -----------------------------------------------------------------------------

// Lane l of the result adds two lanes of `a` where bit B of l is 0, of `b` where it is 1.
template <int B, int... L>
INLINE vec fold(vec a, vec b, std::integer_sequence<int, L...>) {
    vec low = __builtin_shufflevector(a, b, ((L & B) ? LANES + L - B : L)...);
    vec high = __builtin_shufflevector(a, b, ((L & B) ? LANES + L : L + B)...);
    return low + high;
}

template <int B = 1>
INLINE vec horizontal_sums(vec* v) {  // lane i: the sum of all lanes of v[i]; v is overwritten
    for (int i = 0; i < LANES / (2 * B); i++)
        v[i] = fold<B>(v[2 * i], v[2 * i + 1], std::make_integer_sequence<int, LANES>());
    if constexpr (2 * B < LANES) return horizontal_sums<2 * B>(v);
    return v[0];
}

// Every lane exchanged with the one whose number differs in bit B.
template <int B, int... L>
INLINE vec shuffle_xor(vec v, std::integer_sequence<int, L...>) {
    return __builtin_shufflevector(v, v, (L ^ B)...);
}

template <int B = LANES / 2>
INLINE float horizontal_sum(vec v) {
    v += shuffle_xor<B>(v, std::make_integer_sequence<int, LANES>());
    if constexpr (B > 1) return horizontal_sum<B / 2>(v);
    return v[0];
}

template <int B = LANES / 2>
INLINE float horizontal_max(vec v) {
    vec other = shuffle_xor<B>(v, std::make_integer_sequence<int, LANES>());
    v = select((ivec)(v > other), v, other);
    if constexpr (B > 1) return horizontal_max<B / 2>(v);
    return v[0];
}

template <int B, int... L>
INLINE void exchange(vec& a, vec& b, std::integer_sequence<int, L...>) {
    vec low = __builtin_shufflevector(a, b, ((L & B) ? LANES + L - B : L)...);
    b = __builtin_shufflevector(a, b, ((L & B) ? LANES + L : L + B)...);
    a = low;
}

template <int B = 1>
INLINE void transpose(vec* v) {  // exchanges lane j of v[i] and lane i of v[j]
    for (int i = 0; i < LANES; i++)
        if (!(i & B)) exchange<B>(v[i], v[i + B], std::make_integer_sequence<int, LANES>());
    if constexpr (2 * B < LANES) transpose<2 * B>(v);
}

// Rounds a row to T, then to int8 codes; returns their scale. See kernels/int8.py.
template <class T>
float quantize(const float* x, int64_t n, int8_t* codes) {
    vec lane_max = {};
    auto rounded = [&](int64_t i) {
        T part[LANES];
        store(part, load_tail(x + i, n - i));
        return load(part);
    };
    for (int64_t i = 0; i < n; i += LANES) {
        vec magnitude = as_float(bits_of(rounded(i)) & 0x7fffffff);
        lane_max = select((ivec)(magnitude > lane_max), magnitude, lane_max);
    }
    float scale = horizontal_max(lane_max) / 127.0f;
    vec divisor = broadcast(scale > 0 ? scale : 1.0f);
    for (int64_t i = 0; i < n; i += LANES) store_tail(codes + i, rounded(i) / divisor, n - i);
    return scale;
}

// ---- functions ---------------------------------------------------------------------------------

INLINE vec vec_exp(vec x) {  // relative error below 2e-7; 0 below -87
    vec clamped = select((ivec)(x > 88.0f), broadcast(88.0f),
                         select((ivec)(x < -87.0f), broadcast(-87.0f), x));
    vec shifted = clamped * 1.44269504f + 12582912.0f,
        n = shifted - 12582912.0f;  // nearest integer
    vec r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = ((((broadcast(1.9875691500e-4f) * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r +
              4.1665795894e-2f) *
                 r +
             1.6666665459e-1f) *
                r +
            0.5f;
    p = p * r * r + r + 1.0f;
    vec power =
        as_float((bits_of(shifted) + 127u) << 23);  // the low bits of `shifted` are the integer
    return select((ivec)(x < -87.0f), vec{}, p * power);
}

INLINE vec vec_sigmoid(vec x) { return 1.0f / (1.0f + vec_exp(-x)); }

INLINE vec vec_tanh(vec x) {  // hyperbolic; relative error below 3e-7
    vec s = x * x, a = as_float(bits_of(x) & 0x7fffffff),
        y = 1.0f - 2.0f / (vec_exp(2.0f * a) + 1.0f);
    vec p = ((broadcast(-5.70498872745e-3f) * s + 2.06390887954e-2f) * s - 5.37397155531e-2f) * s +
            1.33314422036e-1f;
    p = (p * s - 3.33332819422e-1f) * s * x + x;
    return select((ivec)(a < 0.625f), p, as_float(bits_of(y) | (bits_of(x) & 0x80000000u)));
}

INLINE vec vec_erf(vec x) {  // Abramowitz and Stegun 7.1.26: absolute error below 2e-7
    vec a = as_float(bits_of(x) & 0x7fffffff), t = 1.0f / (1.0f + 0.3275911f * a);
    vec p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t +
             0.254829592f) *
            t;
    vec y = 1.0f - p * vec_exp(-a * a);
    return as_float(bits_of(y) | (bits_of(x) & 0x80000000u));
}

enum Activation : int32_t { NONE, SILU, GELU, GELU_TANH, RELU };

INLINE vec apply_activation(vec x, int32_t activation) {
    switch (activation) {
        case SILU: return x * vec_sigmoid(x);
        case GELU: return 0.5f * x * (1.0f + vec_erf(x * 0.70710678f));
        case GELU_TANH:  // 0.5 (1 + tanh z) = sigmoid 2z
            return x * vec_sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
        case RELU: return select((ivec)(x > 0.0f), x, vec{});
        default: return x;
    }
}

INLINE int64_t round_up(int64_t n, int64_t unit = 2 * LANES) {
    return (n + unit - 1) / unit * unit;
}
