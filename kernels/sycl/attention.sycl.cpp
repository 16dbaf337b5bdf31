// Split-KV attention of one new token a sequence over two segments: the prompt of its request,
// which all w beams share, and its own path through the response, gathered through the beam index.
// One online softmax runs over both.
//
// The rows of a KV head are w beams x the query heads of its group: a work-group takes ROWS of
// them, and reads each key and value of the prompt once for all. For a KV head and block of rows
// that is 2 * t * d elements, and 2 * steps * d more for each beam, of which slots shared by
// several paths come from memory once.
//
// The tiles of TILE_KEYS keys are divided among sub-groups, and among work-groups where there are
// splits. For scores a lane owns a key, and loads it 16 bytes at a time: no sum crosses lanes. For
// values it owns every LANES-th column, which is how a block read delivers a row.
//
// Build options: -DHEAD=64 | 80 | 96 | 128 | 256, the elements of a head; -DROWS=1 | 2 | 4 | 8;
// -DMATRIX=NONE, or DPAS for the matrix engine's instruction (16-bit types, 2 rows or more), or
// EMULATED for the same tiles without it; -DSOFTCAP=1 for logit soft-capping; -DINT8=1 for keys and
// values in int8, with a scale of each; -DROLLED keeps the loops over a tile, which a CPU's compiler
// builds in a third of the time.
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

// A dot product as a score of base 2. With logit soft-capping it is cap * tanh(x), x = dot * scale
// / cap, and tanh(x) is 1 - 2 / (1 + e^2x): where the exponential is infinite or 0, the result is 1
// or -1.
struct ScoreScale {
  float factor, cap;
  ScoreScale(float scale, float softcap)
      : factor(SOFTCAP ? 2 * LOG2E * scale / softcap : scale * LOG2E), cap(softcap * LOG2E) {}
  float score(float dot) const {
    if constexpr (SOFTCAP) return cap - 2 * cap / (1 + sycl::exp2(dot * factor));
    else return dot * factor;
  }
};

// The online softmax of a sub-group. `row_sum` is of a lane's own keys, `row_max` is the same in
// all lanes.
struct Softmax {
  floats<ROWS> acc[LANE_COLUMNS], row_max, row_sum;
};

inline void update(Softmax &softmax, const Tile &tile, const query *q, const float *slopes,
                   ScoreScale scale) {
  floats<ROWS> scores[LANE_KEYS] = {};
  compute_scores(tile, q, scores);
  float k_scale[LANE_KEYS], v_scale[LANE_KEYS];
  UNROLL
  for (int p = 0; p < LANE_KEYS; ++p) {
    k_scale[p] = tile.segment.scale_of_key(tile.index[p]);
    v_scale[p] = tile.segment.scale_of_value(tile.index[p]);
  }
  UNROLL
  for (int r = 0; r < ROWS; ++r) {
    const bool visible = r >= tile.first_row && r < tile.end_row;
    float row_max = softmax.row_max[r], row_sum = 0;
    UNROLL
    for (int p = 0; p < LANE_KEYS; ++p) {
      const float score = scale.score(scores[p][r] * k_scale[p]) + slopes[r] * tile.position[p];
      scores[p][r] = visible && tile.valid[p] ? score : MINUS_INF;
      row_max = sycl::fmax(row_max, scores[p][r]);
    }
    row_max = sycl::reduce_over_group(this_sub_group(), row_max, sycl::maximum<float>());
    const float rescale = sycl::exp2(softmax.row_max[r] - row_max);
    UNROLL
    for (int p = 0; p < LANE_KEYS; ++p) {
      row_sum += scores[p][r] = sycl::exp2(scores[p][r] - row_max);
      scores[p][r] *= v_scale[p];
    }
    softmax.row_max[r] = row_max;
    softmax.row_sum[r] = softmax.row_sum[r] * rescale + row_sum;
    UNROLL
    for (int c = 0; c < LANE_COLUMNS; ++c) softmax.acc[c][r] *= rescale;
  }
  accumulate_values(tile, scores, softmax.acc);
}

struct alignas(32) Queries {
  query data[ROWS * HEAD];
};  // 32 bytes: the longest load

inline int tiles_of(int tokens) { return (tokens + TILE_KEYS - 1) / TILE_KEYS; }

// What a window leaves visible of the two segments. Hidden tokens that fill whole tiles are skipped
// in both; `hidden` more are masked, of the prompt or, where all of it is skipped, of the response.
struct VisibleRange {
  int skipped_tokens, skipped_steps, hidden;
  VisibleRange(int t, int steps, int window) {
    const int all_hidden = sycl::max(0, t + steps - window);
    skipped_tokens = all_hidden < t ? all_hidden / TILE_KEYS * TILE_KEYS : t;
    skipped_steps = all_hidden < t ? 0 : (all_hidden - t) / TILE_KEYS * TILE_KEYS;
    hidden = all_hidden - skipped_tokens - skipped_steps;
  }
};

// The rows of a work-group: `rows` of a KV head's, from `first` on.
struct RowBlock {
  long batch;
  int head, first, rows, group, w;
  // Past the last row, the last one is computed again and dropped.
  int row(int r) const { return first + sycl::min(r, rows - 1); }
  int query_head(int r) const { return head * group + row(r) % group; }
  int beam(int r) const { return row(r) / group; }
};

inline Tile prompt_tile(const Segment &prompt, const RowBlock &block, int tile_number, int hidden,
                        int t, const int *positions) {
  Tile tile{prompt, {}, {}, 0, block.rows, {}};
  UNROLL
  for (int p = 0; p < LANE_KEYS; ++p) {
    const int token = tile_number * TILE_KEYS + p * LANES + lane();
    tile.index[p] = token;
    const bool visible = token >= hidden && token < t;
    tile.position[p] = visible && positions ? positions[token] : token;
    tile.valid[p] = visible && tile.position[p] >= 0;
  }
  return tile;
}

// `beam_index` of one beam; null: every beam has its own slots.
inline Tile response_tile(const Segment &response, const RowBlock &block, int beam, int first_step,
                          int hidden, int steps, int first_position, const int *beam_index) {
  const int first_row = beam * block.group - block.first;
  Tile tile{response, {}, {}, first_row, first_row + block.group, {}};
  UNROLL
  for (int p = 0; p < LANE_KEYS; ++p) {
    const int step = first_step + p * LANES + lane();
    tile.valid[p] = step >= hidden && step < steps;
    tile.index[p] = step * block.w + (beam_index && tile.valid[p] ? beam_index[step] : beam);
    tile.position[p] = first_position + step;
  }
  return tile;
}

// Group (request, KV head, block of rows; split of the visible tiles). Lengths are read on the
// device: a captured graph serves while they grow. With one split `out` [b, w, h, d] is written;
// else `partials` [splits, b, w, h, d + 2], for reduce_partials: each row's weighted sums of
// values, row_max and row_sum. Scales are those of int8 keys and values. Null: none.
KERNEL(2)
segment_attention(const scalar *q, long q_batch, long q_head, long q_beam, const stored *prompt_k,
                  const stored *prompt_v, long prompt_batch, long prompt_head, long prompt_token,
                  const stored *response_k, const stored *response_v, long response_batch,
                  long response_head, long response_token, const float *prompt_k_scale,
                  const float *prompt_v_scale, long prompt_scale_batch, long prompt_scale_head,
                  long prompt_scale_token, const float *response_k_scale,
                  const float *response_v_scale, long response_scale_batch,
                  long response_scale_head, long response_scale_token, const int *lengths,
                  const int *beam_index, long beam_index_batch, long beam_index_beam,
                  const int *prompt_positions, long prompt_positions_batch, const float *slopes,
                  float scale, float softcap, int window, scalar *out, float *partials, int b,
                  int g, int group, int w) {
  const auto item = ext::this_work_item::get_nd_item<2>();
  const int me = item.get_local_linear_id();
  const int sub_group = this_sub_group().get_group_linear_id();
  const int rows = w * group, blocks = (rows + ROWS - 1) / ROWS;
  const int block_number = item.get_group(0), head_number = block_number / blocks;
  const int first_row = block_number % blocks * ROWS;
  const RowBlock block{
      head_number / g, head_number % g, first_row, sycl::min(ROWS, rows - first_row), group, w};

  xp::work_group_static<Queries> queries;
  xp::work_group_static<float[ROWS]> row_slopes;
  for (int i = me; i < ROWS * HEAD; i += WORK_ITEMS) {
    const int r = i / HEAD, column = i % HEAD;
    (&queries)->data[query_offset(r, column)] = as_query(
        q[block.batch * q_batch + block.query_head(r) * q_head + block.beam(r) * q_beam + column]);
  }
  if (me < ROWS) row_slopes[me] = slopes ? slopes[block.query_head(me)] * LOG2E : 0;
  sycl::group_barrier(item.get_group());

  const VisibleRange visible(lengths[0], lengths[1], window);
  const int t = lengths[0] - visible.skipped_tokens, steps = lengths[1] - visible.skipped_steps;
  if (prompt_positions)
    prompt_positions += block.batch * prompt_positions_batch + visible.skipped_tokens;
  if (beam_index) beam_index += block.batch * beam_index_batch + visible.skipped_steps;
  const int first_position = t == 0 ? 0 : prompt_positions ? prompt_positions[t - 1] + 1 : t;
  const int stream = sub_group / COLUMN_PARTS;  // takes every KEY_STREAMS-th tile
  const int first_column =
      sycl::min(sub_group % COLUMN_PARTS * LANE_COLUMNS, HEAD / LANES - LANE_COLUMNS) * LANES;
  const long prompt_offset =
      block.batch * prompt_batch + block.head * prompt_head + visible.skipped_tokens * prompt_token;
  const long response_offset = block.batch * response_batch + block.head * response_head +
                               long(visible.skipped_steps) * w * response_token;
  const long prompt_scale = block.batch * prompt_scale_batch + block.head * prompt_scale_head +
                            visible.skipped_tokens * prompt_scale_token;
  const long response_scale = block.batch * response_scale_batch +
                              block.head * response_scale_head +
                              long(visible.skipped_steps) * w * response_scale_token;
  const Segment prompt{prompt_k + prompt_offset,
                       prompt_v + prompt_offset + first_column,
                       prompt_token,
                       prompt_k_scale + prompt_scale,
                       prompt_v_scale + prompt_scale,
                       prompt_scale_token};
  const Segment response{response_k + response_offset,
                         response_v + response_offset + first_column,
                         response_token,
                         response_k_scale + response_scale,
                         response_v_scale + response_scale,
                         response_scale_token};

  // Beam after beam for the same steps: adjacent sub-groups read the slots that paths share.
  const int beams = block.beam(ROWS) - block.beam(0) + 1;
  const auto tile_of = [&](int i) {
    if (i < tiles_of(t)) return prompt_tile(prompt, block, i, visible.hidden, t, prompt_positions);
    const int j = i - tiles_of(t), beam = block.beam(0) + j % beams;
    const int *beam_steps = beam_index ? beam_index + beam * beam_index_beam : nullptr;
    return response_tile(response, block, beam, j / beams * TILE_KEYS, visible.hidden - t, steps,
                         first_position, beam_steps);
  };
  const int tiles = tiles_of(t) + tiles_of(steps) * beams;
  const int splits = item.get_group_range(1), split = item.get_group(1);
  const int split_tiles = (tiles + splits - 1) / splits;
  const ScoreScale score_scale(scale, softcap);
  Softmax softmax{{}, INITIAL_MAX, 0};
  for (int i = split * split_tiles + stream; i < sycl::min((split + 1) * split_tiles, tiles);
       i += KEY_STREAMS) {
    Tile tile = tile_of(i);
    if (mask_invalid_keys(tile))
      update(softmax, tile, (&queries)->data, &row_slopes[0], score_scale);
  }

  xp::work_group_static<float[KEY_STREAMS][ROWS][HEAD]> stream_acc;
  xp::work_group_static<float[KEY_STREAMS][ROWS]> stream_max, stream_sum;
  UNROLL
  for (int r = 0; r < ROWS; ++r) {
    UNROLL
    for (int c = 0; c < LANE_COLUMNS; ++c)
      stream_acc[stream][r][first_column + c * LANES + lane()] = softmax.acc[c][r] / SCALE_UNIT;
    const float row_sum =
        sycl::reduce_over_group(this_sub_group(), softmax.row_sum[r], sycl::plus<float>());
    if (lane() == 0) {
      stream_max[stream][r] = softmax.row_max[r];
      stream_sum[stream][r] = row_sum;
    }
  }
  sycl::group_barrier(item.get_group());

  for (int i = me; i < block.rows * HEAD; i += WORK_ITEMS) {
    const int r = i / HEAD, column = i % HEAD;
    float row_max = INITIAL_MAX, acc = 0, row_sum = 0;
    for (int s = 0; s < KEY_STREAMS; ++s) row_max = sycl::fmax(row_max, stream_max[s][r]);
    for (int s = 0; s < KEY_STREAMS; ++s) {
      const float rescale = sycl::exp2(stream_max[s][r] - row_max);
      acc += rescale * stream_acc[s][r][column];
      row_sum += rescale * stream_sum[s][r];
    }
    const long h = long(g) * group;
    const long row = (block.batch * w + block.beam(r)) * h + block.query_head(r);
    float *partial = partials + (split * b * w * h + row) * (HEAD + 2);
    if (splits == 1) out[row * HEAD + column] = scalar(acc / row_sum);
    else partial[column] = acc;
    if (splits > 1 && column == 0) {
      partial[HEAD] = row_max;
      partial[HEAD + 1] = row_sum;
    }
  }
}
