// Rows of packed weights as dense ones, for the matmul of a prefill.
//
// A work-group owns a row. A work-item reads 16 bytes of codes at a time, and writes the weights of
// a half 16 bytes at a time.
//
// Build option: -DFORMAT=Q4_0 | Q4_1 | Q8_0 | Q4_K | Q5_K | Q6_K.
#include "block_formats.hpp"

// Rows from `first` on of [n, k], as many as there are work-groups; y is contiguous.
KERNEL(1)
unpack(const void *planes, scalar *y, int first, int n, int k) {
  const auto item = ext::this_work_item::get_nd_item<1>();
  const int row = item.get_group(0);
  scalar *const out = y + size_t(row) * k;
  for (int v = item.get_local_id(0); v < num_vectors<FORMAT>(k); v += item.get_local_range(0)) {
    CodeVector<FORMAT> vector;
    vector.load(static_cast<const byte *>(planes), n, k, first + row, v);
    UNROLL
    for (int half = 0; half < FORMAT::HALVES; ++half) {
      const Scale scale = vector.scale(half);
      words codes = vector.codes_of(half);
      UNROLL
      for (int piece = 0; piece < 16; piece += VECTOR) {
        float weights[VECTOR];
        vector.unpack(codes, scale, weights);
        store(out + vector.column(v, half) + piece, weights);
      }
    }
  }
}
