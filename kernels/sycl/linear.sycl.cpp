// GEMV, y = x W^T, for the few rows of a decode step, with prologue and epilogue in the same
// launch: norm(x) before; bias, activation (or gated multiplication) and residuals after.
//
// Decoding is bound by the bytes of W [n, k]: each is read exactly once, whatever the number of
// rows, and used for all of them from registers. x, rows * k elements, comes from the cache again
// for every work-group. Packed weights become floats in registers, and the rest is the same.
//
// A work-group owns WEIGHT_ROWS rows of W. Its work-items walk along k together, 16 bytes of each
// weight row a step, and keep one partial sum per row of x and row of W. Partial sums are reduced
// at the end: by shuffles within a sub-group, then in local memory.
//
// Build options: -DROWS=1 | 2 | 4 | 8 | 16, the rows of x (fewer may be there); -DNORM=NO_NORM |
// RMS_NORM | LAYER_NORM; -DFORMAT=Dense | Q4_0 | Q4_1 | Q8_0 | Q4_K | Q5_K | Q6_K, how W is stored.
#include "block_formats.hpp"

enum { NO_NORM, RMS_NORM, LAYER_NORM };
#ifndef WEIGHT_ROWS
#define WEIGHT_ROWS 2  // even: a gated layer needs a row of gate and its row of up
#endif
constexpr int MAX_SUBGROUPS = 16;
#if ROWS > 8  // their sums leave few registers
#define PIECE_LOOP KEEP_LOOP
constexpr int PIECE = 4;  // columns of packed weights at a time
#else
#define PIECE_LOOP UNROLL
constexpr int PIECE = VECTOR;
#endif

// The partial sums: x . w for each pair of rows, the squares of each row of x, bias . w for each
// row of W.
constexpr int SQUARES = ROWS * WEIGHT_ROWS, SHIFTS = SQUARES + (NORM != NO_NORM ? ROWS : 0),
              SUMS = SHIFTS + (NORM == LAYER_NORM ? WEIGHT_ROWS : 0);

// The rows of W that a work-group owns. walk() calls body(i, b) with columns i .. i + N - 1 of them,
// b [WEIGHT_ROWS][N], for this work-item's part of the row.
template <class Format> struct WeightRows {  // packed: x and the norm are aligned
  const byte *planes;
  int n, k, row[WEIGHT_ROWS];

  template <class Rows>
  WeightRows(const void *weight, long, int n, int k, Rows row_of)
      : planes(static_cast<const byte *>(weight)), n(n), k(k) {
    UNROLL
    for (int c = 0; c < WEIGHT_ROWS; ++c) row[c] = row_of(c);
  }
  template <class Body> void walk(bool, int me, int threads, Body body) const {
    for (int v = me; v < num_vectors<Format>(k); v += threads) {
      CodeVector<Format> vectors[WEIGHT_ROWS];
      UNROLL
      for (int c = 0; c < WEIGHT_ROWS; ++c) vectors[c].load(planes, n, k, row[c], v);
      KEEP_LOOP
      for (int half = 0; half < Format::HALVES; ++half) {
        Scale scales[WEIGHT_ROWS];
        words codes[WEIGHT_ROWS];
        UNROLL
        for (int c = 0; c < WEIGHT_ROWS; ++c) {
          scales[c] = vectors[c].scale(half);
          codes[c] = vectors[c].codes_of(half);
        }
        PIECE_LOOP
        for (int piece = 0; piece < 16; piece += PIECE) {
          float b[WEIGHT_ROWS][PIECE];
          UNROLL
          for (int c = 0; c < WEIGHT_ROWS; ++c) vectors[c].unpack(codes[c], scales[c], b[c]);
          body(CodeVector<Format>::column(v, half) + piece, b);
        }
      }
    }
  }
};

struct Dense {};
template <> struct WeightRows<Dense> {
  const scalar *w[WEIGHT_ROWS];
  int k;

  template <class Rows>
  WeightRows(const void *weight, long pitch, int, int k, Rows row_of) : k(k) {
    UNROLL
    for (int c = 0; c < WEIGHT_ROWS; ++c)
      w[c] = static_cast<const scalar *>(weight) + row_of(c) * pitch;
  }
  template <class Body> void walk(bool vectors, int me, int threads, Body body) const {
    ::walk(k, vectors, me, threads, [&](int i, auto width) {
      float b[WEIGHT_ROWS][width()];
      UNROLL
      for (int c = 0; c < WEIGHT_ROWS; ++c) load(w[c] + i, b[c]);
      body(i, b);
    });
  }
};

// The norm costs no pass of its own. With the mean subtracted (for LayerNorm), norm(x) . w is
//   sum((x - mean) * norm_weight * w) / deviation + sum(norm_bias * w),
// and the deviation, known only at the end of the row, divides once. norm_weight scales w, once for
// all rows of x.
template <int N> inline void accumulate(float (&sums)[SUMS], const scalar *const (&x)[ROWS],
                                        float (&b)[WEIGHT_ROWS][N], const scalar *norm_weight,
                                        const scalar *norm_bias, const float (&mean)[ROWS], int i) {
  float scale[N], shift[N], a[N];
  if constexpr (NORM != NO_NORM) load(norm_weight + i, scale);
  if constexpr (NORM == LAYER_NORM) load(norm_bias + i, shift);
  UNROLL
  for (int c = 0; c < WEIGHT_ROWS; ++c) {
    UNROLL
    for (int j = 0; j < N; ++j) {
      if constexpr (NORM == LAYER_NORM) sums[SHIFTS + c] += shift[j] * b[c][j];
      if constexpr (NORM != NO_NORM) b[c][j] *= scale[j];
    }
  }
  UNROLL
  for (int r = 0; r < ROWS; ++r) {
    load(x[r] + i, a);
    UNROLL
    for (int j = 0; j < N; ++j) {
      if constexpr (NORM == LAYER_NORM) a[j] -= mean[r];
      if constexpr (NORM != NO_NORM) sums[SQUARES + r] += a[j] * a[j];
      UNROLL
      for (int c = 0; c < WEIGHT_ROWS; ++c) sums[r * WEIGHT_ROWS + c] += a[j] * b[c][j];
    }
  }
}

// Only LayerNorm needs a pass over x, from the cache, before the GEMV.
inline float row_mean(const scalar *x, int k, bool vectors, int me, int threads) {
  float sum = 0;
  walk(k, vectors, me, threads, [&](int i, auto width) {
    float a[width()];
    load(x + i, a);
    UNROLL
    for (int j = 0; j < width(); ++j) sum += a[j];
  });
  return sycl::reduce_over_group(ext::this_work_item::get_work_group<1>(), sum,
                                 sycl::plus<float>()) /
         k;
}

// n counts rows of W. Gated: the first n / 2 are gate, the others up, and y has n / 2 columns.
// Null: none.
KERNEL(1)
linear(const scalar *x, long x_pitch, const void *weight, long weight_pitch,
       const scalar *norm_weight, const scalar *norm_bias, float eps, const scalar *bias,
       const scalar *residual, long residual_pitch, const scalar *residual2, long residual2_pitch,
       scalar *y, long y_pitch, int rows, int k, int n, int activation, int gated) {
  const auto item = ext::this_work_item::get_nd_item<1>();
  const auto sub_group = item.get_sub_group();
  const int me = item.get_local_id(0), threads = item.get_local_range(0);
  const int columns = gated ? n / 2 : n, own = gated ? WEIGHT_ROWS / 2 : WEIGHT_ROWS;
  const int first = item.get_group(0) * own;

  // Past the last row the last one is read again, and its result dropped: no branch in the loop.
  const auto weight_row = [&](int c) {
    return sycl::min(first + c % own, columns - 1) + c / own * columns;
  };
  const WeightRows<FORMAT> w(weight, weight_pitch, n, k, weight_row);
  const scalar *xs[ROWS];
  UNROLL
  for (int r = 0; r < ROWS; ++r) xs[r] = x + sycl::min(r, rows - 1) * x_pitch;
  const bool vectors =
      aligned(x, static_cast<const scalar *>(weight), norm_weight, norm_bias) &&
      (x_pitch | weight_pitch) % VECTOR == 0;

  float sums[SUMS] = {}, mean[ROWS] = {};
  if constexpr (NORM == LAYER_NORM) {
    UNROLL
    for (int r = 0; r < ROWS; ++r) mean[r] = row_mean(xs[r], k, vectors, me, threads);
  }
  w.walk(vectors, me, threads,
         [&](int i, auto &b) { accumulate(sums, xs, b, norm_weight, norm_bias, mean, i); });

  xp::work_group_static<float[MAX_SUBGROUPS][SUMS]> shared;
  UNROLL
  for (int s = 0; s < SUMS; ++s) {
    const float sum = sycl::reduce_over_group(sub_group, sums[s], sycl::plus<float>());
    if (sub_group.leader()) shared[sub_group.get_group_linear_id()][s] = sum;
  }
  sycl::group_barrier(item.get_group());

  const auto total = [&](int s) {
    float sum = 0;
    for (int g = 0; g < threads / LANES; ++g) sum += shared[g][s];
    return sum;
  };
  const auto dot_product = [&](int r, int c) {
    float value = total(r * WEIGHT_ROWS + c);
    if constexpr (NORM != NO_NORM) value *= sycl::rsqrt(total(SQUARES + r) / k + eps);
    if constexpr (NORM == LAYER_NORM) value += total(SHIFTS + c);
    return bias ? value + float(bias[weight_row(c)]) : value;
  };
  for (int out = me; out < rows * own; out += threads) {
    const int r = out / own, c = out % own, column = first + c;
    if (column >= columns) continue;
    float value = activate(activation, dot_product(r, c));
    if (gated) value *= dot_product(r, c + own);
    if (residual) value += float(residual[r * residual_pitch + column]);
    if (residual2) value += float(residual2[r * residual2_pitch + column]);
    y[r * y_pitch + column] = scalar(value);
  }
}
