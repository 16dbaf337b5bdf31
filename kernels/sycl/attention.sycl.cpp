// Attention of one new token a sequence over two segments: the prompt of its request, which all w sequences share, and
// its own path through the response, gathered through the beam index. One online softmax runs over both.
//
// The rows of a KV head, w sequences x the query heads of its group, stand together: a work-group takes ROWS of them,
// and reads each key and value of the prompt once for all. For a KV head and block of rows that is 2 * t * d elements,
// and 2 * steps * d more for each sequence, of which memory sees those slots once that paths share.
//
// Sub-groups share the tiles of KEYS keys among them, and work-groups too where there are splits. For scores a lane
// owns a key, and loads it 16 bytes at a time: no sum crosses lanes. For values it owns every LANES-th column, which is
// how a block read delivers a row.
//
// Build options: -DHEAD=64 | 80 | 96 | 128 | 256, the elements of a head; -DROWS=1 | 2 | 4 | 8; -DMATRIX=NONE, or DPAS
// for the matrix engine's instruction (16-bit types, 2 rows or more), or EMULATED for the same tiles multiplied without
// it; -DCAPPED=1 for scores with a soft cap; -DROLLED leaves the loops over a tile as loops, which a CPU's compiler
// takes in a third of the time.
#include "common.hpp"

#ifndef SUBGROUPS
#define SUBGROUPS 8  // of a work-group
#endif
#ifndef CAPPED
#define CAPPED 0
#endif
#ifdef ROLLED
#define UNROLL_TILE _Pragma("unroll 1")
#define UNROLL_SOME _Pragma("unroll 1")
#else
#define UNROLL_TILE UNROLL
#define UNROLL_SOME _Pragma("unroll 4")  // loads under way at a time
#endif
constexpr int SUMS = 32;           // registers, of a lane's 128, that they may take
constexpr int KEYS = 16;           // of a tile: what one matrix instruction adds up over
constexpr int OWN = KEYS / LANES;  // keys of a lane
constexpr int ITEMS = SUBGROUPS * LANES;
constexpr float LOG2E = 1.44269504f, NEVER = -__builtin_inff();
constexpr float NOTHING = -1e30f;  // before the first score: its difference to itself is a number

// A lane keeps ROWS sums for each of its columns. So that they stay in registers, PARTS sub-groups share the columns of
// the same keys, whose scores each of them computes. Where columns do not divide, a few are computed twice.
constexpr int columns_of(int parts) { return (HEAD / LANES + parts - 1) / parts; }
constexpr int least_parts(int parts) { return columns_of(parts) * ROWS <= SUMS ? parts : least_parts(2 * parts); }
constexpr int PARTS = least_parts(1), STREAMS = SUBGROUPS / PARTS, COLUMNS = columns_of(PARTS);
static_assert(STREAMS * PARTS == SUBGROUPS);

// One of the two segments of a KV head.
struct Segment {
  const scalar *k, *v;
  long pitch;
};

// KEYS keys: where each of a lane's stands in memory and in the text. Only rows from .. to - 1 of the block see them.
struct Tile {
  Segment segment;
  int index[OWN], position[OWN], from, to;
  bool alive[OWN];
};

// Dead keys (padding, beyond the lengths) are read from where a living one stands, since 0 * NaN would not be 0.
// False where none lives.
inline bool bury(Tile &tile) {
  int living = -1;
  UNROLL
  for (int p = 0; p < OWN; ++p) living = tile.alive[p] ? tile.index[p] : living;
  living = sycl::reduce_over_group(this_sub_group(), living, sycl::maximum<int>());
  UNROLL
  for (int p = 0; p < OWN; ++p) tile.index[p] = tile.alive[p] ? tile.index[p] : living;
  return living >= 0;
}

// The value of key number `key` of a tile, from the sub-group's first column on.
inline const scalar *value_row(const Tile &tile, int key) {
  const int index = sycl::group_broadcast(this_sub_group(), tile.index[key / LANES], key % LANES);
  return tile.segment.v + index * tile.segment.pitch;
}

#if MATRIX == NONE
using query = float;
inline query as_query(scalar x) { return float(x); }
inline int query_place(int r, int i) { return r * HEAD + i; }

inline void multiply_keys(const Tile &tile, const query *q, floats<ROWS> (&scores)[OWN]) {
  UNROLL_SOME
  for (int i = 0; i < HEAD; i += VECTOR)
    UNROLL
    for (int p = 0; p < OWN; ++p) {
      float key[VECTOR];
      load(tile.segment.k + tile.index[p] * tile.segment.pitch + i, key);
      UNROLL
      for (int r = 0; r < ROWS; ++r)
        UNROLL
        for (int j = 0; j < VECTOR; ++j) scores[p][r] += key[j] * q[query_place(r, i + j)];
    }
}

inline void multiply_values(const Tile &tile, const floats<ROWS> (&weights)[OWN], floats<ROWS> (&sums)[COLUMNS]) {
  UNROLL_TILE
  for (int key = 0; key < KEYS; ++key) {
    bits value[COLUMNS];
    block_read(value_row(tile, key), value);
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
      const float weight = sycl::group_broadcast(this_sub_group(), weights[key / LANES][r], key % LANES);
      UNROLL
      for (int c = 0; c < COLUMNS; ++c) sums[c][r] += weight * float(sycl::bit_cast<scalar>(value[c]));
    }
  }
}

#else
using query = unsigned short;
inline query as_query(scalar x) { return sycl::bit_cast<query>(x); }

// q lies in local memory as the lanes need it: for each 16 elements of the head, what a lane holds of a.
inline int query_place(int r, int i) { return ((i / 16 * LANES + i % 16 / PACK) * ROWS + r) * PACK + i % PACK; }

// A column of b is 32 bytes of a key, as they lie in memory.
inline void multiply_keys(const Tile &tile, const query *q, floats<ROWS> (&scores)[OWN]) {
  UNROLL_TILE
  for (int i = 0; i < HEAD; i += 16) {
    const auto a = *reinterpret_cast<const left<ROWS> *>(q + query_place(0, i + lane() * PACK));
    UNROLL
    for (int p = 0; p < OWN; ++p) {
      const auto *key = reinterpret_cast<const vec<int, 4> *>(tile.segment.k + tile.index[p] * tile.segment.pitch + i);
      scores[p] = multiply<ROWS>(a, __builtin_shufflevector(key[0], key[1], 0, 1, 2, 3, 4, 5, 6, 7), scores[p]);
    }
  }
}

// Column l of the scores is column l of a: the weights need no way through memory. With two keys a lane they are keys
// l and LANES + l, and the rows of b are put in the same order.
template <int N>
inline void multiply_columns(const Tile &tile, left<ROWS> a, int first, floats<ROWS> (&sums)[COLUMNS]) {
  right b[N];
  UNROLL_TILE
  for (int k = 0; k < 16; k += 2) {
    bits low[N], high[N];
    block_read(value_row(tile, k / PACK) + first * LANES, low);
    block_read(value_row(tile, (k + 1) / PACK + (k + 1) % PACK * LANES) + first * LANES, high);
    UNROLL
    for (int c = 0; c < N; ++c) b[c][k / 2] = pair(low[c], high[c]);
  }
  UNROLL
  for (int c = 0; c < N; ++c) sums[first + c] = multiply<ROWS>(a, b[c], sums[first + c]);
}

inline void multiply_values(const Tile &tile, const floats<ROWS> (&weights)[OWN], floats<ROWS> (&sums)[COLUMNS]) {
  const auto rounded = [&](int p, int r) { return sycl::bit_cast<bits>(scalar(weights[p][r])); };
  left<ROWS> a;
  UNROLL
  for (int r = 0; r < ROWS; ++r) a[r] = PACK == 1 ? rounded(0, r) : pair(rounded(0, r), rounded(OWN - 1, r));
  UNROLL
  for (int c = 0; c + 1 < COLUMNS; c += 2) multiply_columns<2>(tile, a, c, sums);
  if constexpr (COLUMNS % 2) multiply_columns<1>(tile, a, COLUMNS - 1, sums);
}
#endif

// How a product becomes a score of base 2. With a soft cap it is cap * tanh(x), x = product * scale / cap, and tanh(x)
// is 1 - 2 / (1 + e^2x): where the exponential is infinite or 0, the result is 1 or -1.
struct Scores {
  float scale, cap;
  Scores(float asked, float softcap)
      : scale(CAPPED ? 2 * LOG2E * asked / softcap : asked * LOG2E), cap(softcap * LOG2E) {}
  float of(float product) const {
    if constexpr (CAPPED) return cap - 2 * cap / (1 + sycl::exp2(product * scale));
    else return product * scale;
  }
};

// The online softmax of a sub-group. `total` is a lane's own share, `highest` is the same in all lanes.
struct Softmax {
  floats<ROWS> sums[COLUMNS], highest, total;
};

inline void add(Softmax &softmax, const Tile &tile, const query *q, const float *slopes, Scores how) {
  floats<ROWS> scores[OWN] = {};
  multiply_keys(tile, q, scores);
  UNROLL
  for (int r = 0; r < ROWS; ++r) {
    const bool sees = r >= tile.from && r < tile.to;
    float highest = softmax.highest[r], total = 0;
    UNROLL
    for (int p = 0; p < OWN; ++p) {
      const float score = how.of(scores[p][r]) + slopes[r] * tile.position[p];
      scores[p][r] = sees && tile.alive[p] ? score : NEVER;
      highest = sycl::fmax(highest, scores[p][r]);
    }
    highest = sycl::reduce_over_group(this_sub_group(), highest, sycl::maximum<float>());
    const float kept = sycl::exp2(softmax.highest[r] - highest);
    UNROLL
    for (int p = 0; p < OWN; ++p) total += scores[p][r] = sycl::exp2(scores[p][r] - highest);
    softmax.highest[r] = highest;
    softmax.total[r] = softmax.total[r] * kept + total;
    UNROLL
    for (int c = 0; c < COLUMNS; ++c) softmax.sums[c][r] *= kept;
  }
  multiply_values(tile, scores, softmax.sums);
}

struct alignas(32) Queries { query at[ROWS * HEAD]; };  // so long is the longest load

inline int tiles_of(int tokens) { return (tokens + KEYS - 1) / KEYS; }

// What a window leaves of the two segments. Tokens that come first and fill tiles are left out of both; `first` more
// are out of sight, of the prompt or, where all of it is left out, of the response.
struct Sight {
  int left_out, steps_left_out, first;
  Sight(int t, int steps, int window) {
    const int hidden = sycl::max(0, t + steps - window);
    left_out = hidden < t ? hidden / KEYS * KEYS : t;
    steps_left_out = hidden < t ? 0 : (hidden - t) / KEYS * KEYS;
    first = hidden - left_out - steps_left_out;
  }
};

// The rows of a work-group, `here` of a KV head's from the first on.
struct Block {
  long batch;
  int head, first, here, group, w;
  int row(int r) const { return first + sycl::min(r, here - 1); }  // past the last row the last one again, and dropped
  int query_head(int r) const { return head * group + row(r) % group; }
  int beam(int r) const { return row(r) / group; }
};

inline Tile prompt_tile(const Segment &prompt, const Block &block, int number, int first, int t,
                        const int *positions) {
  Tile tile{prompt, {}, {}, 0, block.here, {}};
  UNROLL
  for (int p = 0; p < OWN; ++p) {
    const int token = number * KEYS + p * LANES + lane();
    tile.index[p] = token;
    const bool seen = token >= first && token < t;
    tile.position[p] = seen && positions ? positions[token] : token;
    tile.alive[p] = seen && tile.position[p] >= 0;
  }
  return tile;
}

// `path` of the sequence `beam`; without one every sequence has its own slots.
inline Tile response_tile(const Segment &response, const Block &block, int beam, int first_step, int hidden,
                          int steps, int after, const int *path) {
  const int from = beam * block.group - block.first;
  Tile tile{response, {}, {}, from, from + block.group, {}};
  UNROLL
  for (int p = 0; p < OWN; ++p) {
    const int step = first_step + p * LANES + lane();
    tile.alive[p] = step >= hidden && step < steps;
    tile.index[p] = step * block.w + (path && tile.alive[p] ? path[step] : beam);
    tile.position[p] = after + step;
  }
  return tile;
}

// Group (request, KV head, block of rows; share of the tiles in sight). Lengths are read here: a graph of launches
// serves while they grow. With one share `out` [b, w, h, d] is written; else `shares` [splits, b, w, h, d + 2], for
// add_shares: each row's sums, its highest score and its total. Null: not there.
KERNEL(2) segment_attention(
    const scalar *q, long q_batch, long q_head, long q_beam, const scalar *prompt_k, const scalar *prompt_v,
    long prompt_batch, long prompt_head, long prompt_token, const scalar *response_k, const scalar *response_v,
    long response_batch, long response_head, long response_token, const int *lengths, const int *ancestry,
    long ancestry_batch, long ancestry_beam, const int *positions, long positions_batch, const float *slopes,
    float scale, float softcap, int window, scalar *out, float *shares, int b, int g, int group, int w) {
  const auto item = ext::this_work_item::get_nd_item<2>();
  const int me = item.get_local_linear_id(), mine = this_sub_group().get_group_linear_id();
  const int rows = w * group, blocks = (rows + ROWS - 1) / ROWS, number = item.get_group(0);
  const int first = number % blocks * ROWS;
  const Block block{number / blocks / g, number / blocks % g, first, sycl::min(ROWS, rows - first), group, w};

  xp::work_group_static<Queries> queries;
  xp::work_group_static<float[ROWS]> row_slopes;
  for (int i = me; i < ROWS * HEAD; i += ITEMS) {
    const int r = i / HEAD, column = i % HEAD;
    (&queries)->at[query_place(r, column)] =
        as_query(q[block.batch * q_batch + block.query_head(r) * q_head + block.beam(r) * q_beam + column]);
  }
  if (me < ROWS) row_slopes[me] = slopes ? slopes[block.query_head(me)] * LOG2E : 0;
  sycl::group_barrier(item.get_group());

  const Sight sight(lengths[0], lengths[1], window);
  const int t = lengths[0] - sight.left_out, steps = lengths[1] - sight.steps_left_out;
  if (positions) positions += block.batch * positions_batch + sight.left_out;
  if (ancestry) ancestry += block.batch * ancestry_batch + sight.steps_left_out;
  const int after = t == 0 ? 0 : positions ? positions[t - 1] + 1 : t;
  const int stream = mine / PARTS;  // takes every STREAMS-th tile
  const int columns = sycl::min(mine % PARTS * COLUMNS, HEAD / LANES - COLUMNS) * LANES;
  const long in_prompt = block.batch * prompt_batch + block.head * prompt_head + sight.left_out * prompt_token;
  const long in_response = block.batch * response_batch + block.head * response_head +
                           long(sight.steps_left_out) * w * response_token;
  const Segment prompt{prompt_k + in_prompt, prompt_v + in_prompt + columns, prompt_token};
  const Segment response{response_k + in_response, response_v + in_response + columns, response_token};

  // Sequence after sequence for the same steps: neighbouring sub-groups meet in the slots that paths share.
  const int beams = block.beam(ROWS) - block.beam(0) + 1;
  const auto tile_of = [&](int i) {
    if (i < tiles_of(t)) return prompt_tile(prompt, block, i, sight.first, t, positions);
    const int j = i - tiles_of(t), beam = block.beam(0) + j % beams;
    const int *path = ancestry ? ancestry + beam * ancestry_beam : nullptr;
    return response_tile(response, block, beam, j / beams * KEYS, sight.first - t, steps, after, path);
  };
  const int tiles = tiles_of(t) + tiles_of(steps) * beams;
  const int splits = item.get_group_range(1), split = item.get_group(1), share = (tiles + splits - 1) / splits;
  const Scores scores(scale, softcap);
  Softmax softmax{{}, NOTHING, 0};
  for (int i = split * share + stream; i < sycl::min((split + 1) * share, tiles); i += STREAMS) {
    Tile tile = tile_of(i);
    if (bury(tile)) add(softmax, tile, (&queries)->at, &row_slopes[0], scores);
  }

  xp::work_group_static<float[STREAMS][ROWS][HEAD]> sums;
  xp::work_group_static<float[STREAMS][ROWS]> highest, total;
  UNROLL
  for (int r = 0; r < ROWS; ++r) {
    UNROLL
    for (int c = 0; c < COLUMNS; ++c) sums[stream][r][columns + c * LANES + lane()] = softmax.sums[c][r];
    const float whole = sycl::reduce_over_group(this_sub_group(), softmax.total[r], sycl::plus<float>());
    if (lane() == 0) highest[stream][r] = softmax.highest[r], total[stream][r] = whole;
  }
  sycl::group_barrier(item.get_group());

  for (int i = me; i < block.here * HEAD; i += ITEMS) {
    const int r = i / HEAD, column = i % HEAD;
    float top = NOTHING, value = 0, weights = 0;
    for (int s = 0; s < STREAMS; ++s) top = sycl::fmax(top, highest[s][r]);
    for (int s = 0; s < STREAMS; ++s) {
      const float weight = sycl::exp2(highest[s][r] - top);
      value += weight * sums[s][r][column];
      weights += weight * total[s][r];
    }
    const long h = long(g) * group, place = (block.batch * w + block.beam(r)) * h + block.query_head(r);
    float *part = shares + (split * b * w * h + place) * (HEAD + 2);
    if (splits == 1) out[place * HEAD + column] = scalar(value / weights);
    else part[column] = value;
    if (splits > 1 && column == 0) part[HEAD] = top, part[HEAD + 1] = weights;
  }
}
