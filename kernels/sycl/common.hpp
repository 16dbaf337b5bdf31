// Shared by all kernels: the storage dtype, 16-byte loads and stores, and the walk along a row.
//
// Build options: -DSCALAR=float | _Float16 | bf16 is the type of stored numbers (arithmetic is
// always float); -DLANES=16 is the sub-group size: 16 on Max, Battlemage and Lunar Lake, 8 on Arc
// A, whose registers are half as wide.
#pragma once
// Not <sycl/sycl.hpp>, whose parsing would take two thirds of the compile time.
#include <sycl/builtins.hpp>
#include <sycl/group_algorithm.hpp>
#include <sycl/group_barrier.hpp>
#include <sycl/sub_group.hpp>
#include <sycl/ext/oneapi/free_function_queries.hpp>
#include <sycl/ext/oneapi/kernel_properties/properties.hpp>
#include <sycl/ext/oneapi/work_group_static.hpp>

#include <type_traits>

namespace ext = sycl::ext::oneapi;
namespace xp = sycl::ext::oneapi::experimental;

// KERNEL(n) declares a kernel over an n-dimensional range. Python reads the argument list from the
// source.
#define KERNEL(n)                                                        \
  extern "C" SYCL_EXT_ONEAPI_FUNCTION_PROPERTY((xp::nd_range_kernel<n>)) \
      SYCL_EXT_ONEAPI_FUNCTION_PROPERTY((xp::sub_group_size<LANES>)) void

// bfloat16 is the upper half of a float. Converted by its bits, because the library's type leaves
// calls to a device library in the SPIR-V, and an offline compiler then reports spilled registers
// where there are none.
struct bf16 {
  unsigned short bits;
  bf16() = default;
  explicit bf16(float f) {
    const unsigned u = sycl::bit_cast<unsigned>(f);
    bits = f != f ? 0x7fc0 : (u + 0x7fff + ((u >> 16) & 1)) >> 16;  // to nearest, ties to even
  }
  explicit operator float() const { return sycl::bit_cast<float>(unsigned(bits) << 16); }
};

// Before every loop over a small array: indexed by constants, it stays in registers, and in memory
// otherwise.
#define UNROLL _Pragma("unroll")
// Before a loop with a long body, which compilers would otherwise repeat.
#define KEEP_LOOP _Pragma("unroll 1")

using scalar = SCALAR;
constexpr int VECTOR = 16 / sizeof(scalar);  // the widest load of a lane is 16 bytes

template <class T, int N> using vec = T __attribute__((ext_vector_type(N)));
template <int N> using floats = vec<float, N>;
template <int N> using raw =
    vec<std::conditional_t<std::is_same_v<scalar, bf16>, unsigned short, scalar>, N>;
using bits = std::conditional_t<sizeof(scalar) == 2, unsigned short, unsigned>;

// N adjacent elements with one instruction. p must be a multiple of N elements.
template <int N> inline void load(const scalar *p, float (&out)[N]) {
  const raw<N> all = *reinterpret_cast<const raw<N> *>(p);
  UNROLL
  for (int j = 0; j < N; ++j) out[j] = float(sycl::bit_cast<scalar>(all[j]));
}

template <int N> inline void load(const signed char *p, float (&out)[N]) {
  const auto all = *reinterpret_cast<const vec<signed char, N> *>(p);
  UNROLL
  for (int j = 0; j < N; ++j) out[j] = all[j];
}

template <int N> inline void store(scalar *p, const float (&in)[N]) {
  raw<N> all;
  UNROLL
  for (int j = 0; j < N; ++j) {
    using element = std::remove_cv_t<std::remove_reference_t<decltype(raw<1>{}[0])>>;
    all[j] = sycl::bit_cast<element>(scalar(in[j]));
  }
  *reinterpret_cast<raw<N> *>(p) = all;
}

inline sycl::sub_group this_sub_group() { return ext::this_work_item::get_sub_group(); }
inline int lane() { return this_sub_group().get_local_linear_id(); }

// N * LANES adjacent elements for a sub-group, 8 * LANES with one instruction: a lane gets the bits
// of every LANES-th of them. row is the same in all lanes, and a multiple of 4 bytes.
template <class T, class Bits, int N> inline void block_read(const T *row, Bits (&out)[N]) {
  using sycl::access::address_space, sycl::access::decorated;
  constexpr int PIECE = N >= 8 ? 8 : N >= 4 ? 4 : N >= 2 ? 2 : 1;
  const auto *source = reinterpret_cast<const Bits *>(row);
  const auto global =
      sycl::address_space_cast<address_space::global_space, decorated::yes>(source).get_decorated();
  const auto piece =
      __spirv_SubgroupBlockReadINTEL<std::conditional_t<PIECE == 1, Bits, vec<Bits, PIECE>>>(
          global);
  UNROLL
  for (int i = 0; i < PIECE; ++i)
    if constexpr (PIECE == 1) out[i] = piece;
    else out[i] = piece[i];
  if constexpr (N > PIECE) {
    Bits rest[N - PIECE];
    block_read(row + PIECE * LANES, rest);
    UNROLL
    for (int i = PIECE; i < N; ++i) out[i] = rest[i - PIECE];
  }
}

// Whether all these rows can be read 16 bytes at a time.
template <class... P> inline bool aligned(const P *...p) {
  return ((reinterpret_cast<size_t>(p) | ...) & 15) == 0;
}

// Calls body(i, width) for vectors of 0 .. n - 1, divided among `threads` work-items of which this
// is number `me`: vectors of 16 bytes first, adjacent ones to adjacent work-items, then the
// remaining elements one by one.
template <class Body> inline void walk(int n, bool vectors, int me, int threads, Body body) {
  const int full = vectors ? n / VECTOR : 0;
  for (int i = me; i < full; i += threads) body(i * VECTOR, std::integral_constant<int, VECTOR>());
  for (int i = full * VECTOR + me; i < n; i += threads) body(i, std::integral_constant<int, 1>());
}

#define NONE 0
#define DPAS 1
#define EMULATED 2
#if MATRIX
// The matrix engine's instruction, for kernels built with -DMATRIX=DPAS: sums [M, LANES] += a [M,
// 16] b [16, LANES], M 2, 4 or 8. Lane l holds column l of sums and of b, two of its 16 elements in
// each int, and PACK columns of a from PACK * l on. -DMATRIX=EMULATED does the same on any device.
// Not joint_matrix: it hides the layout in registers, so that one result could only reach the next
// instruction through local memory, and no CPU without AMX compiles it.
constexpr int PACK = 16 / LANES;
template <int M> using matrix_a = vec<std::conditional_t<PACK == 1, short, int>, M>;
using matrix_b = vec<int, 8>;

inline int pack_pair(unsigned low, unsigned high) { return low | high << 16; }

#if MATRIX == DPAS
#define INSTRUCTION(M)                                                                    \
  SYCL_EXTERNAL floats<M> intel_sub_group_f16_f16_matrix_mad_k16(matrix_a<M>, matrix_b,   \
                                                                 floats<M>);              \
  SYCL_EXTERNAL floats<M> intel_sub_group_bf16_bf16_matrix_mad_k16(matrix_a<M>, matrix_b, \
                                                                   floats<M>);
INSTRUCTION(2)
INSTRUCTION(4)
INSTRUCTION(8)

template <int M> inline floats<M> matrix_multiply_add(matrix_a<M> a, matrix_b b, floats<M> sums) {
  if constexpr (std::is_same_v<scalar, bf16>)
    return intel_sub_group_bf16_bf16_matrix_mad_k16(a, b, sums);
  else return intel_sub_group_f16_f16_matrix_mad_k16(a, b, sums);
}
#else
template <int M> inline floats<M> matrix_multiply_add(matrix_a<M> a, matrix_b b, floats<M> sums) {
  const auto half = [](unsigned two, int high) {
    return float(sycl::bit_cast<scalar>(bits(two >> 16 * high)));
  };
  for (int k = 0; k < 16; ++k)
    for (int m = 0; m < M; ++m) {
      const int two = sycl::group_broadcast(this_sub_group(), int(a[m]), k / PACK);
      sums[m] += half(two, k % PACK) * half(b[k / 2], k % 2);
    }
  return sums;
}
#endif
#endif

enum Activation { IDENTITY, SILU, GELU, GELU_TANH, RELU };

// One kernel for all: the branch is the same in every lane, and costs nothing beside the bytes.
inline float activate(int which, float x) {
  switch (which) {
    case SILU: return x / (1 + sycl::exp(-x));
    case GELU: return 0.5f * x * (1 + sycl::erf(x * 0.70710678f));
    case GELU_TANH: return 0.5f * x * (1 + sycl::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case RELU: return sycl::fmax(x, 0.0f);
    default: return x;
  }
}
