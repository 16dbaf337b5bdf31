// The second launch of an attention whose sequence was split: the shares of each row, weighed and added.
#include "common.hpp"

// shares [splits, rows, d + 2]: for each split and row its sums, its highest score (of base 2) and its total. out
// [rows, d]. Every number is read once; a work-item takes a column, and the work-group a row.
KERNEL(1) add_shares(const float *shares, scalar *out, int rows, int d, int splits) {
  const auto item = ext::this_work_item::get_nd_item<1>();
  const int row = item.get_group(0), pitch = d + 2;
  const auto share = [&](int s) { return shares + (long(s) * rows + row) * pitch; };
  float top = share(0)[d];
  for (int s = 1; s < splits; ++s) top = sycl::fmax(top, share(s)[d]);
  for (int i = item.get_local_id(0); i < d; i += item.get_local_range(0)) {
    float value = 0, total = 0;
    for (int s = 0; s < splits; ++s) {
      const float weight = sycl::exp2(share(s)[d] - top);
      value += weight * share(s)[i];
      total += weight * share(s)[d + 1];
    }
    out[long(row) * d + i] = scalar(value / total);
  }
}
