// A tile of keys of the attention kernel: its scores with the queries, and the sums of its values.
// In vectors of floats, or with MATRIX in the tiles of the matrix engine.
#pragma once

#include "common.hpp"

#ifndef SUBGROUPS
#define SUBGROUPS 8  // of a work-group
#endif
#ifndef SOFTCAP
#define SOFTCAP 0
#endif
#ifndef INT8
#define INT8 0
#endif
#ifdef ROLLED
#define UNROLL_TILE _Pragma("unroll 1")
#define UNROLL_LOADS _Pragma("unroll 1")
#else
#define UNROLL_TILE UNROLL
#define UNROLL_LOADS _Pragma("unroll 4")  // loads in flight
#endif
constexpr int ACC_REGISTERS = 32;  // of a lane's 128, for its sums of values
constexpr int TILE_KEYS = 16;      // the reduction length of one matrix instruction
constexpr int LANE_KEYS = TILE_KEYS / LANES;
constexpr int WORK_ITEMS = SUBGROUPS * LANES;
constexpr float LOG2E = 1.44269504f;
constexpr float MINUS_INF = -__builtin_inff();
constexpr float INITIAL_MAX =
    -1e30f;  // before the first score: its difference to itself is a number

// Keys and values as they are stored, and their bits.
using stored = std::conditional_t<INT8, signed char, scalar>;
using stored_bits = std::conditional_t<INT8, unsigned char, bits>;
constexpr int STORED_VECTOR = 16 / sizeof(stored);
// A scale of int8 values is max|v| / 127: of a weight times 64 of it fp16 has as many digits as of
// the values.
constexpr float SCALE_UNIT = INT8 ? 64 : 1;

// A lane keeps ROWS sums for each of its columns. So that they stay in registers, COLUMN_PARTS
// sub-groups divide the columns of the same keys, whose scores each of them computes. Where columns
// do not divide, a few are computed twice.
constexpr int lane_columns(int parts) { return (HEAD / LANES + parts - 1) / parts; }
constexpr int fewest_parts(int parts) {
  return lane_columns(parts) * ROWS <= ACC_REGISTERS ? parts : fewest_parts(2 * parts);
}
constexpr int COLUMN_PARTS = fewest_parts(1);
constexpr int KEY_STREAMS = SUBGROUPS / COLUMN_PARTS;
constexpr int LANE_COLUMNS = lane_columns(COLUMN_PARTS);
static_assert(KEY_STREAMS * COLUMN_PARTS == SUBGROUPS);

// One of the two segments of a KV head.
struct Segment {
  const stored *k, *v;
  long pitch;
  const float *k_scale, *v_scale;
  long scale_pitch;
  float scale_of_key(int index) const { return INT8 ? k_scale[index * scale_pitch] : 1; }
  float scale_of_value(int index) const {
    return INT8 ? SCALE_UNIT * v_scale[index * scale_pitch] : 1;
  }
};

// TILE_KEYS keys: of each of a lane's its row in the segment and its position. Rows first_row ..
// end_row - 1 see them.
struct Tile {
  Segment segment;
  int index[LANE_KEYS], position[LANE_KEYS], first_row, end_row;
  bool valid[LANE_KEYS];
};

// Invalid keys (padding, beyond the lengths) are read from the row of a valid one, since 0 * NaN
// would not be 0. False where no key is valid.
inline bool mask_invalid_keys(Tile &tile) {
  int valid_index = -1;
  UNROLL
  for (int p = 0; p < LANE_KEYS; ++p) valid_index = tile.valid[p] ? tile.index[p] : valid_index;
  valid_index = sycl::reduce_over_group(this_sub_group(), valid_index, sycl::maximum<int>());
  UNROLL
  for (int p = 0; p < LANE_KEYS; ++p) tile.index[p] = tile.valid[p] ? tile.index[p] : valid_index;
  return valid_index >= 0;
}

// The value of key number `key` of a tile, from the sub-group's first column on.
inline const stored *value_row(const Tile &tile, int key) {
  const int index = sycl::group_broadcast(this_sub_group(), tile.index[key / LANES], key % LANES);
  return tile.segment.v + index * tile.segment.pitch;
}

#if MATRIX == NONE
using query = float;
inline query as_query(scalar x) { return float(x); }
inline int query_offset(int r, int i) { return r * HEAD + i; }

inline void compute_scores(const Tile &tile, const query *q, floats<ROWS> (&scores)[LANE_KEYS]) {
  UNROLL_LOADS
  for (int i = 0; i < HEAD; i += STORED_VECTOR) {
    UNROLL
    for (int p = 0; p < LANE_KEYS; ++p) {
      float key[STORED_VECTOR];
      load(tile.segment.k + tile.index[p] * tile.segment.pitch + i, key);
      UNROLL
      for (int r = 0; r < ROWS; ++r) {
        UNROLL
        for (int j = 0; j < STORED_VECTOR; ++j) scores[p][r] += key[j] * q[query_offset(r, i + j)];
      }
    }
  }
}

inline void accumulate_values(const Tile &tile, const floats<ROWS> (&weights)[LANE_KEYS],
                              floats<ROWS> (&sums)[LANE_COLUMNS]) {
  UNROLL_TILE
  for (int key = 0; key < TILE_KEYS; ++key) {
    stored_bits value[LANE_COLUMNS];
    block_read(value_row(tile, key), value);
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
      const float weight =
          sycl::group_broadcast(this_sub_group(), weights[key / LANES][r], key % LANES);
      UNROLL
      for (int c = 0; c < LANE_COLUMNS; ++c)
        sums[c][r] += weight * float(sycl::bit_cast<stored>(value[c]));
    }
  }
}

#else
using query = unsigned short;
inline query as_query(scalar x) { return sycl::bit_cast<query>(x); }

// q in local memory, in the layout of the instruction: for each 16 elements of the head, a lane's
// part of a.
inline int query_offset(int r, int i) {
  return ((i / 16 * LANES + i % 16 / PACK) * ROWS + r) * PACK + i % PACK;
}

// A stored element in the format of the engine, in which an int8 is exact: in bfloat16 the upper
// half of a float.
inline bits matrix_bits(stored_bits x) {
#if INT8
  const float value = sycl::bit_cast<stored>(x);
  if constexpr (std::is_same_v<scalar, bf16>) return sycl::bit_cast<unsigned>(value) >> 16;
  else return sycl::bit_cast<bits>(scalar(value));
#else
  return x;
#endif
}

// A column of b: 16 elements of a key.
inline matrix_b key_column(const stored *key) {
#if INT8
  const auto all = *reinterpret_cast<const vec<stored_bits, 16> *>(key);
  matrix_b b;
  UNROLL
  for (int k = 0; k < 16; k += 2) b[k / 2] = pack_pair(matrix_bits(all[k]), matrix_bits(all[k + 1]));
  return b;
#else
  const auto *halves = reinterpret_cast<const vec<int, 4> *>(key);
  return __builtin_shufflevector(halves[0], halves[1], 0, 1, 2, 3, 4, 5, 6, 7);
#endif
}

inline void compute_scores(const Tile &tile, const query *q, floats<ROWS> (&scores)[LANE_KEYS]) {
  UNROLL_TILE
  for (int i = 0; i < HEAD; i += 16) {
    const auto a =
        *reinterpret_cast<const matrix_a<ROWS> *>(q + query_offset(0, i + lane() * PACK));
    UNROLL
    for (int p = 0; p < LANE_KEYS; ++p) {
      const stored *key = tile.segment.k + tile.index[p] * tile.segment.pitch + i;
      scores[p] = matrix_multiply_add<ROWS>(a, key_column(key), scores[p]);
    }
  }
}

// Column l of the scores is column l of a: the weights stay in registers. With two keys a lane they
// are keys l and LANES + l, and the rows of b are in the same order.
template <int N> inline void accumulate_columns(const Tile &tile, matrix_a<ROWS> a, int first,
                                                floats<ROWS> (&sums)[LANE_COLUMNS]) {
  matrix_b b[N];
  UNROLL_TILE
  for (int k = 0; k < 16; k += 2) {
    stored_bits low[N], high[N];
    block_read(value_row(tile, k / PACK) + first * LANES, low);
    block_read(value_row(tile, (k + 1) / PACK + (k + 1) % PACK * LANES) + first * LANES, high);
    UNROLL
    for (int c = 0; c < N; ++c)
      b[c][k / 2] = pack_pair(matrix_bits(low[c]), matrix_bits(high[c]));
  }
  UNROLL
  for (int c = 0; c < N; ++c) sums[first + c] = matrix_multiply_add<ROWS>(a, b[c], sums[first + c]);
}

inline void accumulate_values(const Tile &tile, const floats<ROWS> (&weights)[LANE_KEYS],
                              floats<ROWS> (&sums)[LANE_COLUMNS]) {
  const auto rounded = [&](int p, int r) { return sycl::bit_cast<bits>(scalar(weights[p][r])); };
  matrix_a<ROWS> a;
  UNROLL
  for (int r = 0; r < ROWS; ++r)
    a[r] = PACK == 1 ? rounded(0, r) : pack_pair(rounded(0, r), rounded(LANE_KEYS - 1, r));
  UNROLL
  for (int c = 0; c + 1 < LANE_COLUMNS; c += 2) accumulate_columns<2>(tile, a, c, sums);
  if constexpr (LANE_COLUMNS % 2) accumulate_columns<1>(tile, a, LANE_COLUMNS - 1, sums);
}
#endif
