// One launch between the QKV projection and attention: q rotated, k rotated straight into its cache
// slot, v copied into its own. Every element of q, k and v is read once and written once; the naive
// stage moves q and k five times.
//
// A sub-group takes one head of one token; a lane takes every LANES-th pair of its elements. Heads
// that are normalised or quantised are read twice, the second time from the first-level cache.
#include "common.hpp"

struct Strides {
  long batch, head, token;
  long at(int b, int n, int t) const { return b * batch + n * head + t * token; }
};

// Pair `i` of a head: elements (2i, 2i + 1) where interleaved, (i, i + half) where half-split.
template <class Read, class Write>
inline void rotate_pair(Read read, Write write, const float *cos, const float *sin, int i, int half,
                        bool interleaved) {
  const int i1 = interleaved ? 2 * i : i, i2 = interleaved ? 2 * i + 1 : i + half;
  const float x1 = float(read(i1)), x2 = float(read(i2));
  write(i1, scalar(x1 * cos[i] - x2 * sin[i]));
  write(i2, scalar(x2 * cos[i] + x1 * sin[i]));
}

template <class Read, class Write> inline void copy_pair(Read read, Write write, int i) {
  write(2 * i, scalar(read(2 * i)));
  write(2 * i + 1, scalar(read(2 * i + 1)));
}

// The angles of one token, for the first 2 * half of the d elements of a head.
struct Angles {
  const float *cos, *sin;
  int half, d;
  bool interleaved;
};

template <class Read, class Write>
inline void rotate_head(Read read, Write write, const Angles &angles) {
  for (int i = lane(); i < angles.d / 2; i += LANES) {
    if (i < angles.half)
      rotate_pair(read, write, angles.cos, angles.sin, i, angles.half, angles.interleaved);
    else copy_pair(read, write, i);
  }
}

// x / y correctly rounded, as torch divides: a quotient and the remainder that it leaves. A GPU's
// own division is right to two of the last digits.
inline float divide(float x, float y) {
  const float inverse = 1 / y, quotient = x * inverse;
  return sycl::fma(sycl::fma(-quotient, y, x), inverse, quotient);
}

// The codes of a head, and their scale: what would be stored, over max|x| / 127, to nearest.
template <class Read> inline void quantize_head(Read read, signed char *codes, float *scale_out,
                                                const Angles &angles) {
  float largest = 0;
  rotate_head(
      read, [&](int, scalar x) { largest = sycl::fmax(largest, sycl::fabs(float(x))); }, angles);
  largest = sycl::reduce_over_group(this_sub_group(), largest, sycl::maximum<float>());
  const float scale = divide(largest, 127);
  const float divisor = scale > 1e-30f ? scale : 1;
  rotate_head(
      read, [=](int i, scalar x) { codes[i] = sycl::rint(divide(float(x), divisor)); }, angles);
  if (lane() == 0) *scale_out = scale;
}

// Where a head goes: into `out`, or where there is a scale as int8 codes.
struct Target {
  scalar *out;
  signed char *codes;
  float *scale;
};

template <class Read> inline void store_head(Read read, const Target &target, const Angles &angles) {
  scalar *out = target.out;
  if (target.scale) quantize_head(read, target.codes, target.scale, angles);
  else rotate_head(read, [=](int i, scalar x) { out[i] = x; }, angles);
}

inline Target slot_of(void *memory, long offset, float *scales, long scale_offset) {
  if (!scales) return {static_cast<scalar *>(memory) + offset, nullptr, nullptr};
  return {nullptr, static_cast<signed char *>(memory) + offset, scales + scale_offset};
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
// of every head before that; null: none. With scales the slots are int8.
KERNEL(2)
rope_and_store(const scalar *q, long q_batch, long q_head, long q_token, const scalar *k,
               long k_batch, long k_head, long k_token, const scalar *v, long v_batch, long v_head,
               long v_token, const float *cos, const float *sin, long angle_batch, long angle_token,
               scalar *q_out, void *k_slot, long k_slot_batch, long k_slot_head, long k_slot_token,
               void *v_slot, long v_slot_batch, long v_slot_head, long v_slot_token,
               float *k_scale, long k_scale_batch, long k_scale_head, long k_scale_token,
               float *v_scale, long v_scale_batch, long v_scale_head, long v_scale_token,
               const int *start, const scalar *q_norm, const scalar *k_norm,
               float eps, int h, int g, int tokens, int d, int half, int interleaved) {
  const auto item = ext::this_work_item::get_nd_item<2>();
  const int n = item.get_group(1) * item.get_local_range(1) / LANES +
                item.get_sub_group().get_group_linear_id();
  const int b = item.get_group(0) / tokens, t = item.get_group(0) % tokens;
  if (n >= h + 2 * g) return;

  const int slot = t + (start ? *start : 0);
  const scalar *in, *weight = nullptr;
  Target target{};
  if (n < h) {
    in = q + Strides{q_batch, q_head, q_token}.at(b, n, t);
    weight = q_norm;
    target.out = q_out + ((long(b) * h + n) * tokens + t) * d;
  } else if (n < h + g) {
    in = k + Strides{k_batch, k_head, k_token}.at(b, n - h, t);
    weight = k_norm;
    target = slot_of(k_slot, Strides{k_slot_batch, k_slot_head, k_slot_token}.at(b, n - h, slot),
                     k_scale, Strides{k_scale_batch, k_scale_head, k_scale_token}.at(b, n - h, slot));
  } else {
    in = v + Strides{v_batch, v_head, v_token}.at(b, n - h - g, t);
    const int head = n - h - g;
    target = slot_of(v_slot, Strides{v_slot_batch, v_slot_head, v_slot_token}.at(b, head, slot),
                     v_scale, Strides{v_scale_batch, v_scale_head, v_scale_token}.at(b, head, slot));
  }
  const long angle = b * angle_batch + t * angle_token;
  const Angles angles{cos + angle, sin + angle, n < h + g ? half : 0, d, bool(interleaved)};
  if (weight) {
    const float scale = norm_scale(in, d, eps);
    store_head([=](int i) { return float(in[i]) * scale * float(weight[i]); }, target, angles);
  } else {
    store_head([=](int i) { return in[i]; }, target, angles);
  }
}
