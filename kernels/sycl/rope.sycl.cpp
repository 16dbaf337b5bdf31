// One launch between the QKV projection and attention: q rotated, k rotated straight into its cache
// slot, v copied into its own. Every element of q, k and v is read once and written once; the naive
// stage moves q and k five times.
//
// A sub-group takes one head of one token; a lane takes every LANES-th pair of its elements. Heads
// that are normalised first are read twice, the second time from the first-level cache.
#include "common.hpp"

struct Strides {
  long batch, head, token;
  long at(int b, int n, int t) const { return b * batch + n * head + t * token; }
};

// Pair `i` of a head: elements (2i, 2i + 1) where interleaved, (i, i + half) where half-split.
template <class Read> inline void rotate_pair(Read read, scalar *out, const float *cos,
                                              const float *sin, int i, int half, bool interleaved) {
  const int i1 = interleaved ? 2 * i : i, i2 = interleaved ? 2 * i + 1 : i + half;
  const float x1 = float(read(i1)), x2 = float(read(i2));
  out[i1] = scalar(x1 * cos[i] - x2 * sin[i]);
  out[i2] = scalar(x2 * cos[i] + x1 * sin[i]);
}

template <class Read> inline void copy_pair(Read read, scalar *out, int i) {
  out[2 * i] = scalar(read(2 * i));
  out[2 * i + 1] = scalar(read(2 * i + 1));
}

// The angles of one token, for the first 2 * half of the d elements of a head.
struct Angles {
  const float *cos, *sin;
  int half, d;
  bool interleaved;
};

template <class Read> inline void rotate_head(Read read, scalar *out, const Angles &angles) {
  for (int i = lane(); i < angles.d / 2; i += LANES) {
    if (i < angles.half)
      rotate_pair(read, out, angles.cos, angles.sin, i, angles.half, angles.interleaved);
    else copy_pair(read, out, i);
  }
}

// The factor that gives a head a mean square of one.
inline float norm_scale(const scalar *in, int d, float eps) {
  float squares = 0;
  for (int i = lane(); i < d; i += LANES) squares += float(in[i]) * float(in[i]);
  return sycl::rsqrt(sycl::reduce_over_group(this_sub_group(), squares, sycl::plus<float>()) / d +
                     eps);
}

// Group (token of any request, a few heads); heads 0 .. h - 1 are q's, then g of k, then g of v.
// q's result is contiguous. Slots are written from number *start on, read here, so that a captured
// graph serves every step; null: from 0. cos and sin hold `half` angles a token, so the first 2 *
// half of the d elements are rotated and the rest copied. q_norm, k_norm: weights [d] of an RMSNorm
// of every head before that; null: none.
KERNEL(2)
rope_and_store(const scalar *q, long q_batch, long q_head, long q_token, const scalar *k,
               long k_batch, long k_head, long k_token, const scalar *v, long v_batch, long v_head,
               long v_token, const float *cos, const float *sin, long angle_batch, long angle_token,
               scalar *q_out, scalar *k_slot, long k_slot_batch, long k_slot_head,
               long k_slot_token, scalar *v_slot, long v_slot_batch, long v_slot_head,
               long v_slot_token, const int *start, const scalar *q_norm, const scalar *k_norm,
               float eps, int h, int g, int tokens, int d, int half, int interleaved) {
  const auto item = ext::this_work_item::get_nd_item<2>();
  const int n = item.get_group(1) * item.get_local_range(1) / LANES +
                item.get_sub_group().get_group_linear_id();
  const int b = item.get_group(0) / tokens, t = item.get_group(0) % tokens;
  if (n >= h + 2 * g) return;

  const int slot = t + (start ? *start : 0);
  const scalar *in, *weight = nullptr;
  scalar *out;
  if (n < h) {
    in = q + Strides{q_batch, q_head, q_token}.at(b, n, t);
    weight = q_norm;
    out = q_out + ((long(b) * h + n) * tokens + t) * d;
  } else if (n < h + g) {
    in = k + Strides{k_batch, k_head, k_token}.at(b, n - h, t);
    weight = k_norm;
    out = k_slot + Strides{k_slot_batch, k_slot_head, k_slot_token}.at(b, n - h, slot);
  } else {
    in = v + Strides{v_batch, v_head, v_token}.at(b, n - h - g, t);
    out = v_slot + Strides{v_slot_batch, v_slot_head, v_slot_token}.at(b, n - h - g, slot);
  }
  const long angle = b * angle_batch + t * angle_token;
  const Angles angles{cos + angle, sin + angle, n < h + g ? half : 0, d, bool(interleaved)};
  if (weight) {
    const float scale = norm_scale(in, d, eps);
    rotate_head([=](int i) { return float(in[i]) * scale * float(weight[i]); }, out, angles);
  } else {
    rotate_head([=](int i) { return in[i]; }, out, angles);
  }
}
