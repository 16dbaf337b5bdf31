// The element-wise work of a feed-forward block: one launch, every element read once and written
// once. Group (row, part of the row); a work-item takes 16 bytes at a time.
#include "common.hpp"

struct RowPart {
  size_t row;
  int me, threads;
};

inline RowPart row_part() {
  const auto item = ext::this_work_item::get_nd_item<2>();
  return {item.get_group(0), int(item.get_global_id(1)), int(item.get_global_range(1))};
}

// y [r, f] = activation(gate) * up, where a row of gate_up is gate [f], then up [f]. Moves 3 f
// elements a row.
KERNEL(2)
activate_and_multiply(const scalar *gate_up, long pitch, scalar *y, int f, int activation) {
  const RowPart part = row_part();
  const scalar *gate = gate_up + part.row * pitch, *up = gate + f;
  y += part.row * f;
  walk(f, aligned(gate, up, y), part.me, part.threads, [&](int i, auto width) {
    float a[width()], b[width()];
    load(gate + i, a);
    load(up + i, b);
    UNROLL
    for (int j = 0; j < width(); ++j) a[j] = activate(activation, a[j]) * b[j];
    store(y + i, a);
  });
}

// y [r, f] = activation(x + bias). Moves 2 f elements a row, and the bias once.
KERNEL(2)
bias_and_activate(const scalar *x, long pitch, const scalar *bias, scalar *y, int f,
                  int activation) {
  const RowPart part = row_part();
  x += part.row * pitch;
  y += part.row * f;
  walk(f, aligned(x, bias, y), part.me, part.threads, [&](int i, auto width) {
    float a[width()], b[width()];
    load(x + i, a);
    load(bias + i, b);
    UNROLL
    for (int j = 0; j < width(); ++j) a[j] = activate(activation, a[j] + b[j]);
    store(y + i, a);
  });
}
