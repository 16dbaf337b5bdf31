// The second launch of split-KV attention: the partial results of each row, rescaled and added.
#include "common.hpp"

// partials [splits, rows, d + 2]: for each split and row its weighted sums of values, its maximum
// (of base 2) and its sum of exponentials. out [rows, d]. Every number is read once; a work-item
// takes a column, and the work-group a row.
KERNEL(1) reduce_partials(const float *partials, scalar *out, int rows, int d, int splits) {
  const auto item = ext::this_work_item::get_nd_item<1>();
  const int row = item.get_group(0), pitch = d + 2;
  const auto partial = [&](int s) { return partials + (long(s) * rows + row) * pitch; };
  float row_max = partial(0)[d];
  for (int s = 1; s < splits; ++s) row_max = sycl::fmax(row_max, partial(s)[d]);
  for (int i = item.get_local_id(0); i < d; i += item.get_local_range(0)) {
    float acc = 0, row_sum = 0;
    for (int s = 0; s < splits; ++s) {
      const float rescale = sycl::exp2(partial(s)[d] - row_max);
      acc += rescale * partial(s)[i];
      row_sum += rescale * partial(s)[d + 1];
    }
    out[long(row) * d + i] = scalar(acc / row_sum);
  }
}
