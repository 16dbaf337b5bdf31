// Vectors of floats that the compiler maps to what the processor has, and the three number formats.
//
// GCC's and clang's vector extensions are used throughout: one source for AVX-512, AVX2, and processors without either.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int W = 16;  // lanes
#else
constexpr int W = 8;
#endif

typedef float vec __attribute__((vector_size(W * 4)));
typedef int32_t ivec __attribute__((vector_size(W * 4)));
typedef uint32_t uvec __attribute__((vector_size(W * 4)));
typedef uint16_t hvec __attribute__((vector_size(W * 2)));

struct bf16 {
    uint16_t bits;
};
struct fp16 {
    uint16_t bits;
};

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

template <class V, class P>
INLINE V raw(const P* p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

INLINE vec as_float(uvec u) { return (vec)u; }
INLINE uvec bits_of(vec v) { return (uvec)v; }
INLINE vec spread(float x) { return x - vec{}; }
INLINE vec pick(ivec where, vec yes, vec no) { return (vec)(((ivec)yes & where) | ((ivec)no & ~where)); }

// ---- loading: W elements, widened --------------------------------------------------------------

INLINE vec load(const float* p) { return raw<vec>(p); }

INLINE vec load(const bf16* p) { return as_float(__builtin_convertvector(raw<hvec>(p), uvec) << 16); }

INLINE vec load(const fp16* p) {
#if defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps(raw<__m256i>(p));
#elif defined(__F16C__)
    return (vec)_mm256_cvtph_ps(raw<__m128i>(p));
#else
    // The exponent is moved to its place and corrected by a product, which also makes denormals right.
    uvec h = __builtin_convertvector(raw<hvec>(p), uvec), magnitude = (h & 0x7fff) << 13;
    vec value = as_float(magnitude) * 0x1p112f;
    ivec special = (ivec)(magnitude >= (uvec{} + 0x0f800000u));  // infinity and NaN
    value = pick(special, as_float(magnitude | 0x7f800000u), value);
    return as_float(bits_of(value) | (h & 0x8000) << 16);
#endif
}

// ---- storing: W elements, rounded to the nearest, ties to even ----------------------------------

INLINE void store(float* p, vec v) { std::memcpy(p, &v, sizeof v); }

INLINE void store(bf16* p, vec v) {
    uvec u = bits_of(v), rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    ivec nan = (ivec)(v != v);
    hvec out = __builtin_convertvector((rounded & (uvec)~nan) | ((uvec)nan & 0x7fc0), hvec);
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
    uvec tiny = bits_of(as_float(magnitude) + 0.5f) - 0x3f000000;  // the sum rounds to multiples of 2^-24
    ivec is_tiny = (ivec)(magnitude < (uvec{} + 0x38800000u)), is_large = (ivec)(magnitude >= (uvec{} + 0x477ff000u));
    uvec half = ((uvec)is_tiny & tiny) | ((uvec)~is_tiny & normal);
    half = ((uvec)is_large & 0x7c00) | ((uvec)~is_large & half);
    ivec nan = (ivec)(v != v);
    hvec out = __builtin_convertvector((((uvec)~nan & half) | ((uvec)nan & 0x7e00)) | sign, hvec);
#endif
    std::memcpy(p, &out, sizeof out);
}

// ---- the last, incomplete vector of a row: nothing beyond `n` elements is touched ----------------

template <class T>
INLINE vec load_some(const T* p, int64_t n) {
    if (n >= W) return load(p);
    T part[W] = {};
    std::memcpy(part, p, n * sizeof(T));
    return load(part);
}

template <class T>
INLINE void store_some(T* p, vec v, int64_t n) {
    if (n >= W) return store(p, v);
    T part[W];
    store(part, v);
    std::memcpy(p, part, n * sizeof(T));
}

// ---- sums of lanes -----------------------------------------------------------------------------

// Lane l of the result adds two lanes of `a` where bit B of l is 0, of `b` where it is 1.
template <int B, int... L>
INLINE vec fold(vec a, vec b, std::integer_sequence<int, L...>) {
    vec low = __builtin_shufflevector(a, b, ((L & B) ? W + L - B : L)...);
    vec high = __builtin_shufflevector(a, b, ((L & B) ? W + L : L + B)...);
    return low + high;
}

template <int B = 1>
INLINE vec sums_of(vec* v) {  // lane i: the sum of all lanes of v[i], i < W; v is used up
    for (int i = 0; i < W / (2 * B); i++)
        v[i] = fold<B>(v[2 * i], v[2 * i + 1], std::make_integer_sequence<int, W>());
    if constexpr (2 * B < W) return sums_of<2 * B>(v);
    return v[0];
}

// Each lane beside the one whose number differs in bit B.
template <int B, int... L>
INLINE vec swapped(vec v, std::integer_sequence<int, L...>) {
    return __builtin_shufflevector(v, v, (L ^ B)...);
}

template <int B = W / 2>
INLINE float sum(vec v) {
    v += swapped<B>(v, std::make_integer_sequence<int, W>());
    if constexpr (B > 1) return sum<B / 2>(v);
    return v[0];
}

template <int B = W / 2>
INLINE float largest(vec v) {
    vec other = swapped<B>(v, std::make_integer_sequence<int, W>());
    v = pick((ivec)(v > other), v, other);
    if constexpr (B > 1) return largest<B / 2>(v);
    return v[0];
}

template <int B, int... L>
INLINE void exchange(vec& a, vec& b, std::integer_sequence<int, L...>) {
    vec low = __builtin_shufflevector(a, b, ((L & B) ? W + L - B : L)...);
    b = __builtin_shufflevector(a, b, ((L & B) ? W + L : L + B)...);
    a = low;
}

template <int B = 1>
INLINE void transpose(vec* v) {  // lane j of v[i] and lane i of v[j] change places
    for (int i = 0; i < W; i++)
        if (!(i & B)) exchange<B>(v[i], v[i + B], std::make_integer_sequence<int, W>());
    if constexpr (2 * B < W) transpose<2 * B>(v);
}

// ---- functions ---------------------------------------------------------------------------------

INLINE vec exponential(vec x) {  // relative error below 2e-7; 0 below -87
    vec clamped = pick((ivec)(x > 88.0f), spread(88.0f), pick((ivec)(x < -87.0f), spread(-87.0f), x));
    vec shifted = clamped * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;  // nearest integer
    vec r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = ((((spread(1.9875691500e-4f) * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r +
             1.6666665459e-1f) * r + 0.5f;
    p = p * r * r + r + 1.0f;
    vec power = as_float((bits_of(shifted) + 127u) << 23);  // the low bits of `shifted` are the integer
    return pick((ivec)(x < -87.0f), vec{}, p * power);
}

INLINE vec logistic(vec x) { return 1.0f / (1.0f + exponential(-x)); }

INLINE vec tangent(vec x) {  // hyperbolic; relative error below 3e-7
    vec s = x * x, a = as_float(bits_of(x) & 0x7fffffff), y = 1.0f - 2.0f / (exponential(2.0f * a) + 1.0f);
    vec p = ((spread(-5.70498872745e-3f) * s + 2.06390887954e-2f) * s - 5.37397155531e-2f) * s + 1.33314422036e-1f;
    p = (p * s - 3.33332819422e-1f) * s * x + x;
    return pick((ivec)(a < 0.625f), p, as_float(bits_of(y) | (bits_of(x) & 0x80000000u)));
}

INLINE vec error_function(vec x) {  // Abramowitz and Stegun 7.1.26: absolute error below 2e-7
    vec a = as_float(bits_of(x) & 0x7fffffff), t = 1.0f / (1.0f + 0.3275911f * a);
    vec p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    vec y = 1.0f - p * exponential(-a * a);
    return as_float(bits_of(y) | (bits_of(x) & 0x80000000u));
}

enum Activation : int32_t { NONE, SILU, GELU, GELU_TANH, RELU };

INLINE vec activated(vec x, int32_t activation) {
    switch (activation) {
        case SILU: return x * logistic(x);
        case GELU: return 0.5f * x * (1.0f + error_function(x * 0.70710678f));
        case GELU_TANH: return x * logistic(1.59576912f * (x + 0.044715f * x * x * x));  // 0.5 (1 + tanh z) = logistic 2z
        case RELU: return pick((ivec)(x > 0.0f), x, vec{});
        default: return x;
    }
}

INLINE int64_t padded(int64_t n, int64_t unit = 2 * W) { return (n + unit - 1) / unit * unit; }
