// Block formats of GGUF as block_formats.py describes them, one structure each: a block as float32
// (`unpack`), and a unit of blocks as vectors of codes with their scales (`Unit`).
//
// A lane of a vector of codes has four codes, a byte each, of adjacent weights that share a scale.
// One byte of all lanes, masked and converted, is LANES floats: code * 256^byte. Activations lie in
// the same order, divided by 256^byte (packed.hpp).
#pragma once

#include "vector.hpp"

enum GgmlType : int32_t {  // ggml's numbers of formats
    GGML_F32 = 0,
    GGML_F16 = 1,
    GGML_Q4_0 = 2,
    GGML_Q4_1 = 3,
    GGML_Q8_0 = 8,
    GGML_Q4_K = 12,
    GGML_Q5_K = 13,
    GGML_Q6_K = 14,
    GGML_BF16 = 30,
};

// Numbers of INT4 and INT8 with so many weights of a scale, which ggml does not have.
constexpr int32_t group_format(int bits, int elements) { return 1000 * bits + elements; }

typedef uint32_t uvec4 __attribute__((vector_size(16)));
typedef uint32_t uvec8 __attribute__((vector_size(32)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint8_t lane_bytes __attribute__((vector_size(LANES)));
typedef int8_t lane_signed __attribute__((vector_size(LANES)));

template <int N>
using Indices = std::make_integer_sequence<int, N>;

INLINE vec to_float(uvec codes) { return __builtin_convertvector((ivec)codes, vec); }

// LANES bytes, one in each lane. (The vector extensions do it in two steps, which costs twice as
// much.)
INLINE uvec widen(lane_bytes bytes) {
#if defined(__AVX512F__)
    return (uvec)_mm512_cvtepu8_epi32((__m128i)bytes);
#elif defined(__AVX2__)
    return (uvec)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
#else
    return __builtin_convertvector(__builtin_convertvector(bytes, hvec), uvec);
#endif
}
INLINE ivec widen(lane_signed bytes) {
#if defined(__AVX512F__)
    return (ivec)_mm512_cvtepi8_epi32((__m128i)bytes);
#elif defined(__AVX2__)
    return (ivec)_mm256_cvtepi8_epi32(_mm_cvtsi64_si128((long long)bytes));
#else
    typedef int16_t words __attribute__((vector_size(LANES * 2)));
    return __builtin_convertvector(__builtin_convertvector(bytes, words), ivec);
#endif
}

INLINE uvec load_codes(const uint8_t* p) { return widen(load_bytes<lane_bytes>(p)); }
INLINE vec load_signed_codes(const uint8_t* p) {
    return __builtin_convertvector(widen(load_bytes<lane_signed>(p)), vec);
}
INLINE vec broadcast_half(const uint8_t* p) {
    uint16_t half = load_bytes<uint16_t>(p);
    return half_to_float(half - hvec{});
}

// The first of the four weights in a lane of a vector of codes. Of every `group` bytes the low
// halves come first, as an even vector, then the high ones, as an odd vector.
constexpr int first_weight(int group, int vector, int lane) {
    int byte = (vector / 2 * LANES + lane) * 4;
    return byte / group * 2 * group + byte % group + vector % 2 * group;
}

// ---- blocks of 32 weights ----------------------------------------------------------------------

// As many blocks of two rows as have a vector of codes each: half as many blocks as a vector has
// lanes, so that their scales and minimums, two numbers a block, are one vector. `CODES` is where a
// block has its 16 bytes of codes; `MINIMUM` where it has its minimum, 0 where that is a multiple
// of the scale.
template <int BYTES, int CODES, int MINIMUM>
struct FourBitUnit {
    static constexpr int rows = 2, blocks = LANES / 4, vectors = 2, vectors_of_scale = 2;
    static constexpr int sum_vectors = 1, max_code = 15;
    static constexpr int weight_of(int vector, int lane) { return first_weight(16, vector, lane); }
    static constexpr int sum_of(int row, int weight) {
        return row * LANES + row * LANES / 2 + weight / 32 * 2 + 1;
    }
    static constexpr int number_at(int lane) {  // scale, minimum, scale, minimum, ... of a row
        int block = lane % (LANES / 2) / 2;
        return block * BYTES + (lane % 2 ? MINIMUM : 0);
    }
    uvec both[2];
    vec numbers;

    template <int ROW, int VECTOR>
    INLINE uvec codes() const {
        return VECTOR % 2 ? both[ROW] >> 4 : both[ROW];
    }
    template <int ROW, int... L>
    INLINE vec spread_scales(std::integer_sequence<int, L...>) const {
        return __builtin_shufflevector(numbers, numbers, (ROW * LANES / 2 + L / 4 * 2)...);
    }
    template <int ROW, int VECTOR>
    INLINE vec scale() const {
        return spread_scales<ROW>(Indices<LANES>());
    }

#if defined(__AVX512BW__)
    // Two loads that overlap have all words of a row: a permutation picks those of the codes.
    typedef uint16_t words __attribute__((vector_size(64)));
    static constexpr int last_load = blocks * BYTES - 64;

    static constexpr int code_word(int word) {
        int byte = word / 8 * BYTES + CODES + word % 8 * 2;
        return byte < 64 ? byte / 2 : 32 + (byte - last_load) / 2;
    }
    template <int... W>
    static INLINE uvec gather_codes(words first, words last, std::integer_sequence<int, W...>) {
        return (uvec)__builtin_shufflevector(first, last, code_word(W)...);
    }
    template <int... L>
    static INLINE hvec gather_numbers(words a, words b, std::integer_sequence<int, L...>) {
        return __builtin_shufflevector(a, b, (L / 8 * 32 + number_at(L) / 2)...);
    }
    INLINE FourBitUnit(const uint8_t* a, const uint8_t* b) {
        words first_a = load_bytes<words>(a), first_b = load_bytes<words>(b);
        both[0] = gather_codes(first_a, load_bytes<words>(a + last_load), Indices<32>());
        both[1] = gather_codes(first_b, load_bytes<words>(b + last_load), Indices<32>());
        numbers = half_to_float(gather_numbers(first_a, first_b, Indices<LANES>()));
    }
#else
    static INLINE uvec gather_codes(const uint8_t* p) {
        uvec4 first = load_bytes<uvec4>(p + CODES), second = load_bytes<uvec4>(p + BYTES + CODES);
        return __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    template <int... L>
    static INLINE hvec gather_numbers(const uint8_t* a, const uint8_t* b,
                                      std::integer_sequence<int, L...>) {
        return hvec{load_bytes<uint16_t>((L < LANES / 2 ? a : b) + number_at(L))...};
    }
    INLINE FourBitUnit(const uint8_t* a, const uint8_t* b) {
        both[0] = gather_codes(a);
        both[1] = gather_codes(b);
        numbers = half_to_float(gather_numbers(a, b, Indices<LANES>()));
    }
#endif
};

struct Q4_0 {
    static constexpr int elements = 32, bytes = 18;

    struct Unit : FourBitUnit<bytes, 2, 0> {
        using FourBitUnit::FourBitUnit;
        INLINE vec minimum(int) const { return numbers * -8.0f; }
    };

    static INLINE void unpack(const uint8_t* p, float* out) {
        vec scale = broadcast_half(p);
        for (int i = 0; i < 16; i += LANES) {
            uvec both = load_codes(p + 2 + i);
            store(out + i, scale * (to_float(both & 15) - 8.0f));
            store(out + 16 + i, scale * (to_float(both >> 4) - 8.0f));
        }
    }
};

struct Q4_1 {
    static constexpr int elements = 32, bytes = 20;

    struct Unit : FourBitUnit<bytes, 4, 2> {
        using FourBitUnit::FourBitUnit;
        INLINE vec minimum(int) const { return numbers; }
    };

    static INLINE void unpack(const uint8_t* p, float* out) {
        vec scale = broadcast_half(p), minimum = broadcast_half(p + 2);
        for (int i = 0; i < 16; i += LANES) {
            uvec both = load_codes(p + 4 + i);
            store(out + i, scale * to_float(both & 15) + minimum);
            store(out + 16 + i, scale * to_float(both >> 4) + minimum);
        }
    }
};

// Formats whose codes are read one vector of floats at a time (`Values`), and that have no unit.

struct Q8_0 {
    static constexpr int elements = 32, bytes = 34;

    struct Values {
        const uint8_t* p;
        vec scale;
        INLINE explicit Values(const uint8_t* p) : p(p), scale(broadcast_half(p)) {}
        INLINE vec at(int i) const { return load_signed_codes(p + 2 + i); }
    };
};

// ---- groups of weights with a scale and a zero point in float32 ---------------------------------

template <int BITS, int ELEMENTS>
struct IntGroup {
    static constexpr int elements = ELEMENTS, bytes = 8 + ELEMENTS * BITS / 8;

    struct Values {
        const uint8_t* codes;
        vec scale, zero;
        INLINE explicit Values(const uint8_t* p)
            : codes(p + 8),
              scale(broadcast(load_bytes<float>(p))),
              zero(broadcast(load_bytes<float>(p + 4))) {}
        INLINE vec at(int i) const {
            if constexpr (BITS == 8) return to_float(load_codes(codes + i)) - zero;
            uvec both = load_codes(codes + i / 32 * 16 + i % 16);
            return to_float(i % 32 < 16 ? both & 15 : both >> 4) - zero;
        }
    };
};

// ---- number formats: blocks of one weight -------------------------------------------------------

template <class T>
struct Numbers {
    typedef T Number;
    static constexpr int elements = 1, bytes = sizeof(T);
};

// ---- blocks of 256 weights: a scale for every 16 or 32 ------------------------------------------

// 32 bytes, twice where a vector has 64.
template <int... L>
INLINE uvec load_repeated(const uint8_t* p, std::integer_sequence<int, L...>) {
    uvec8 v = load_bytes<uvec8>(p);
    return __builtin_shufflevector(v, v, (L % 8)...);
}

// One block. `scales` has sixteen numbers: scales of groups of weights, and in Q4_K and Q5_K the
// eight minimums behind the eight scales.
template <int NIBBLE_GROUP, int SCALE_GROUP>
struct KUnit {
    static constexpr int rows = 1, blocks = 1, vectors = 64 / LANES, vectors_of_scale = 1;
    static constexpr int sum_vectors = 16 / LANES;
    static constexpr int weight_of(int vector, int lane) {
        return first_weight(NIBBLE_GROUP, vector, lane);
    }
    vec scales[16 / LANES];

    template <int VECTOR, int... L>
    INLINE vec spread_scales(std::integer_sequence<int, L...>) const {
        vec source = scales[weight_of(VECTOR, 0) / SCALE_GROUP / LANES];
        return __builtin_shufflevector(source, source,
                                       (weight_of(VECTOR, L) / SCALE_GROUP % LANES)...);
    }
    template <int ROW, int VECTOR>
    INLINE vec scale() const {
        return spread_scales<VECTOR>(Indices<LANES>());
    }
    template <int VECTOR>
    static INLINE uvec nibbles(const uint8_t* codes) {
        uvec both = load_bytes<uvec>(codes + VECTOR / 2 * LANES * 4);
        return VECTOR % 2 ? both >> 4 : both;
    }
};

// Eight scales and eight minimums of six bits in 12 bytes, times those of the block.
INLINE void unpack_scales(const uint8_t* p, vec* scales) {
    uint32_t first = load_bytes<uint32_t>(p + 4), second = load_bytes<uint32_t>(p + 8),
             both = load_bytes<uint32_t>(p + 12);
    uvec4 packed = {first & 0x3f3f3f3f, (both & 0x0f0f0f0f) | (first >> 6 & 0x03030303) << 4,
                    second & 0x3f3f3f3f,
                    (both >> 4 & 0x0f0f0f0f) | (second >> 6 & 0x03030303) << 4};
    vec scale = broadcast_half(p), minimum = -broadcast_half(p + 2);
#if defined(__AVX512F__)
    vec factors = __builtin_shufflevector(scale, minimum, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19,
                                          20, 21, 22, 23);
    scales[0] = factors * to_float(widen((lane_bytes)packed));
#else
    bytes16 all = (bytes16)packed;
    scales[0] = scale * to_float(widen(__builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7)));
    scales[1] =
        minimum * to_float(widen(__builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15)));
#endif
}

template <bool FIFTH_BIT>
struct ScaledGroups {
    static constexpr int elements = 256, bytes = FIFTH_BIT ? 176 : 144;
    static constexpr int high_at = 16, codes_at = bytes - 128;

    struct Unit : KUnit<32, 32> {
        static constexpr int max_code = FIFTH_BIT ? 31 : 15;
        static constexpr int sum_of(int, int weight) { return 8 + weight / 32; }
        const uint8_t* p;
        uvec high;

        INLINE Unit(const uint8_t* p, const uint8_t*) : p(p) {
            unpack_scales(p, this->scales);
            if constexpr (FIFTH_BIT) high = load_repeated(p + high_at, Indices<LANES>());
        }
        template <int VECTOR, int... L>
        INLINE uvec fifth_bits(std::integer_sequence<int, L...>) const {
            uvec shifts = {uint32_t(Unit::weight_of(VECTOR, L) / 32)...};
            return (high >> shifts & 0x01010101) << 4;
        }
        template <int ROW, int VECTOR>
        INLINE uvec codes() const {
            uvec codes = this->template nibbles<VECTOR>(p + codes_at);
            if constexpr (!FIFTH_BIT) return codes;
            return (codes & 0x0f0f0f0f) | fifth_bits<VECTOR>(Indices<LANES>());
        }
        INLINE vec minimum(int i) const { return this->scales[i]; }
    };

    static INLINE void unpack(const uint8_t* p, float* out) {
        vec scales[16 / LANES];
        unpack_scales(p, scales);
        float factors[16];
        std::memcpy(factors, scales, sizeof factors);
        for (int group = 0; group < 8; group++)
            for (int i = 0; i < 32; i += LANES) {
                uvec codes = load_codes(p + codes_at + group / 2 * 32 + i);
                codes = codes >> group % 2 * 4 & 15;
                if constexpr (FIFTH_BIT)
                    codes |= (load_codes(p + high_at + i) >> group & 1) << 4;
                store(out + group * 32 + i, factors[group] * to_float(codes) + factors[8 + group]);
            }
    }
};
using Q4_K = ScaledGroups<false>;
using Q5_K = ScaledGroups<true>;

struct Q6_K {
    static constexpr int elements = 256, bytes = 210;
    static constexpr int high_at = 128, scales_at = 192, scale_at = 208;

    static INLINE void unpack_scales(const uint8_t* p, vec* scales) {
        for (int i = 0; i < 16 / LANES; i++)
            scales[i] =
                broadcast_half(p + scale_at) * load_signed_codes(p + scales_at + i * LANES);
    }

    struct Unit : KUnit<64, 16> {
        static constexpr int max_code = 63;
        static constexpr int sum_of(int, int weight) { return weight / 16; }
        const uint8_t* p;

        INLINE Unit(const uint8_t* p, const uint8_t*) : p(p) { unpack_scales(p, scales); }

        template <int VECTOR, int... L>
        INLINE uvec high_bits(std::integer_sequence<int, L...>) const {
            const uint8_t* half = p + high_at + weight_of(VECTOR, 0) / 128 * 32;
            uvec shifts = {uint32_t(weight_of(VECTOR, L) % 128 / 32 * 2)...};
            return (load_repeated(half, Indices<LANES>()) >> shifts & 0x03030303) << 4;
        }
        template <int ROW, int VECTOR>
        INLINE uvec codes() const {
            return (nibbles<VECTOR>(p) & 0x0f0f0f0f) | high_bits<VECTOR>(Indices<LANES>());
        }
        INLINE vec minimum(int i) const { return scales[i] * -32.0f; }
    };

    static INLINE void unpack(const uint8_t* p, float* out) {
        vec scales[16 / LANES];
        unpack_scales(p, scales);
        float factors[16];
        std::memcpy(factors, scales, sizeof factors);
        for (int group = 0; group < 8; group++)  // of 32 weights
            for (int i = 0; i < 32; i += LANES) {
                int half = group / 4, quarter = group % 4;
                uvec codes = load_codes(p + half * 64 + quarter % 2 * 32 + i);
                uvec high = load_codes(p + high_at + half * 32 + i);
                codes = (codes >> quarter / 2 * 4 & 15) | (high >> quarter * 2 & 3) << 4;
                float factor = factors[group * 2 + i / 16];
                store(out + group * 32 + i, factor * (to_float(codes) - 32.0f));
            }
    }
};
