// RMSNorm and LayerNorm alone, and RMSNorm before a residual addition. One work-group per row.
//
// A norm alone moves 2 m elements a row (x, y), before an addition 3 m (x, residual, y). Further
// passes over the row read it from the first-level cache, where a row of 8192 half floats takes 16
// KB.
#include "common.hpp"

struct Row {
  int m, me, threads;
  bool vectors;
  template <class Body> void walk(Body body) const { ::walk(m, vectors, me, threads, body); }
};

inline float sum_over_row(const Row &row, float mine) {
  return sycl::reduce_over_group(ext::this_work_item::get_work_group<1>(), mine,
                                 sycl::plus<float>());
}

// RMSNorm where there is no bias. The mean is subtracted before squaring: E[x^2] - E[x]^2 would
// cancel. `shift` is added to the result: the bias of a LayerNorm, the residual beside an RMSNorm;
// null: nothing.
inline void normalise(const Row &row, const scalar *x, const scalar *weight, const scalar *bias,
                      const scalar *shift, scalar *y, float eps) {
  float mean = 0, squares = 0;
  if (bias) {
    row.walk([&](int i, auto width) {
      float a[width()];
      load(x + i, a);
      UNROLL
      for (int j = 0; j < width(); ++j) mean += a[j];
    });
    mean = sum_over_row(row, mean) / row.m;
  }
  row.walk([&](int i, auto width) {
    float a[width()];
    load(x + i, a);
    UNROLL
    for (int j = 0; j < width(); ++j) squares += (a[j] - mean) * (a[j] - mean);
  });
  const float scale = sycl::rsqrt(sum_over_row(row, squares) / row.m + eps);
  row.walk([&](int i, auto width) {
    float a[width()], w[width()], b[width()] = {};
    load(x + i, a);
    load(weight + i, w);
    if (shift) load(shift + i, b);
    UNROLL
    for (int j = 0; j < width(); ++j) a[j] = (a[j] - mean) * scale * w[j] + b[j];
    store(y + i, a);
  });
}

inline Row this_row(int m, bool vectors) {
  const auto item = ext::this_work_item::get_nd_item<1>();
  return {m, int(item.get_local_id(0)), int(item.get_local_range(0)), vectors};
}

inline size_t row_number() { return ext::this_work_item::get_nd_item<1>().get_group(0); }

// bias is null for an RMSNorm.
KERNEL(1)
norm(const scalar *x, long x_pitch, const scalar *weight, const scalar *bias, scalar *y, int m,
     float eps) {
  x += row_number() * x_pitch;
  y += row_number() * m;
  normalise(this_row(m, aligned(x, weight, bias, y)), x, weight, bias, bias, y, eps);
}

KERNEL(1)
norm_and_add(const scalar *x, long x_pitch, const scalar *residual, long residual_pitch,
             const scalar *weight, scalar *y, int m, float eps) {
  x += row_number() * x_pitch;
  residual += row_number() * residual_pitch;
  y += row_number() * m;
  normalise(this_row(m, aligned(x, residual, weight, y)), x, weight, nullptr, residual, y, eps);
}
