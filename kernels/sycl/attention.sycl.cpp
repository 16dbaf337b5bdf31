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
#include "attention_tile.hpp"

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
