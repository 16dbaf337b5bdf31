// Block formats of GGUF, as block_formats.py describes them, in planes: a vector of 16 bytes of
// codes, and the weights that they stand for, in float: scale * code + minimum, without rounding.
//
// The low halves of the bytes of a vector are 16 adjacent weights, the high halves 16 others; a
// byte of Q8_0 is one weight. The weights of a half share a scale and a minimum.
#pragma once
#include "common.hpp"

using byte = unsigned char;
using words = vec<unsigned, 4>;  // 16 bytes

struct Scale {
  float scale, minimum;
};

inline words load_words(const byte *p) { return *reinterpret_cast<const words *>(p); }
inline float load_half(const byte *p) { return float(*reinterpret_cast<const _Float16 *>(p)); }

// A format has these constants. ELEMENTS: weights of a block; CODES, HIGH, SCALES: bytes of a block
// in each plane; GROUP: bytes whose low halves come before their high halves; HALVES of a byte.
// `at` is the place of a vector in the codes of its block, in bytes; `first` that of a weight.

// Blocks of 32 weights, a vector of codes with one scale.
struct Block32 {
  static constexpr int ELEMENTS = 32, CODES = 16, HIGH = 0, GROUP = 16, HALVES = 2;
  static unsigned code_word(unsigned codes, unsigned, int half, int) {
    return (codes >> 4 * half) & 0x0f0f0f0f;
  }
};

struct Q4_0 : Block32 {
  static constexpr int SCALES = 2;
  static Scale scale(const byte *p, int) { return {load_half(p), -8 * load_half(p)}; }
};

struct Q4_1 : Block32 {
  static constexpr int SCALES = 4;
  static Scale scale(const byte *p, int) { return {load_half(p), load_half(p + 2)}; }
};

struct Q8_0 {
  static constexpr int ELEMENTS = 32, CODES = 32, HIGH = 0, SCALES = 2, GROUP = 16, HALVES = 1;
  static Scale scale(const byte *p, int) { return {load_half(p), 0}; }
  static unsigned code_word(unsigned codes, unsigned, int, int) { return codes; }
};

// Blocks of 256 weights. Q4_K and Q5_K have eight scales and eight minimums of 6 bits in 12 bytes:
// the last four borrow bits of the first.
struct Q4_K {
  static constexpr int ELEMENTS = 256, CODES = 128, HIGH = 0, SCALES = 16, GROUP = 32, HALVES = 2;
  static Scale scale(const byte *p, int first) {
    const words all = load_words(p);
    const auto half = [&](int high) {
      return float(sycl::bit_cast<_Float16>((unsigned short)(all[0] >> 16 * high)));
    };
    const int group = first / 32, shift = group % 4 * 8;
    const unsigned scales = all[1] >> shift, minimums = all[2] >> shift, both = all[3] >> shift;
    const bool borrows = group >= 4;
    const unsigned scale = borrows ? (both & 15) | (scales >> 2 & 48) : scales & 63;
    const unsigned minimum = borrows ? (both >> 4 & 15) | (minimums >> 2 & 48) : minimums & 63;
    return {half(0) * float(scale), -half(1) * float(minimum)};
  }
  static unsigned code_word(unsigned codes, unsigned, int half, int) {
    return (codes >> 4 * half) & 0x0f0f0f0f;
  }
};

struct Q5_K : Q4_K {
  static constexpr int HIGH = 32;
  static int high_at(int at) { return at % 32; }
  static unsigned code_word(unsigned codes, unsigned high, int half, int at) {
    const unsigned fifth_bits = high >> (at / 32 * 2 + half) & 0x01010101;
    return Q4_K::code_word(codes, 0, half, at) | fifth_bits << 4;
  }
};

struct Q6_K {
  static constexpr int ELEMENTS = 256, CODES = 128, HIGH = 64, SCALES = 18, GROUP = 64, HALVES = 2;
  static Scale scale(const byte *p, int first) {
    const float scale = load_half(p + 16) * float((signed char)p[first / 16]);
    return {scale, -32 * scale};
  }
  static int high_at(int at) { return at / 64 * 32 + at % 32; }
  static unsigned code_word(unsigned codes, unsigned high, int half, int at) {
    const unsigned high_bits = high >> (at % 64 / 32 * 2 + half * 4) & 0x03030303;
    return ((codes >> 4 * half) & 0x0f0f0f0f) | high_bits << 4;
  }
};

// Vectors of codes in a row of k weights.
template <class Format> inline int num_vectors(int k) { return k / (16 * Format::HALVES); }

// Vector `index` of a row: its codes in registers, and its block's scales in memory.
template <class Format> struct CodeVector {
  words codes, high;
  const byte *scales;
  int index, at;

  // `planes` are those of n rows of k weights.
  void load(const byte *planes, int n, int k, int row, int vector) {
    const size_t blocks = k / Format::ELEMENTS, all = n * blocks;
    const size_t block = row * blocks + vector * 16 / Format::CODES;
    index = vector;
    at = index * 16 % Format::CODES;
    codes = load_words(planes + block * Format::CODES + at);
    planes += all * Format::CODES;
    if constexpr (Format::HIGH)
      high = load_words(planes + block * Format::HIGH + Format::high_at(at));
    scales = planes + all * Format::HIGH + block * Format::SCALES;
  }

  Scale scale(int half) const {
    return Format::scale(scales, column(index, half) % Format::ELEMENTS);
  }

  // The first weight of a half, counted from the beginning of the row.
  static int column(int index, int half) {
    constexpr int GROUP = Format::GROUP;
    const int first = index * 16;
    return first / GROUP * Format::HALVES * GROUP + first % GROUP + half * GROUP;
  }

  // The 16 codes of a half, a byte each.
  words codes_of(int half) const {
    words all;
    UNROLL
    for (int word = 0; word < 4; ++word)
      all[word] = Format::code_word(codes[word], high[word], half, at);
    return all;
  }

  // The weights of the first N codes; the next codes move to their place.
  template <int N> static void unpack(words &codes, Scale scale, float (&out)[N]) {
    UNROLL
    for (int j = 0; j < N; ++j) {
      const unsigned bits = codes[j / 4] >> j % 4 * 8;
      const float code = Format::HALVES == 1 ? float((signed char)bits) : float(bits & 255);
      out[j] = scale.scale * code + scale.minimum;
    }
    constexpr int USED = N / 4;
    codes = __builtin_shufflevector(codes, codes, USED, USED + 1, USED + 2, USED + 3);
  }
};
