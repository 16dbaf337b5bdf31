// The functions of a GPU's driver that its code calls: the matrix engine and the 2D blocks, computed lane by lane.
//
// Intel's extensions cl_intel_subgroup_matrix_multiply_accumulate and cl_intel_subgroup_2d_block_io describe them.
// Sub-groups have 16 lanes. gpu_functions.py adds a line such as READ(16, 8, 16, 2) for each function that is called.
// Loops stay loops: unrolled, they take the CPU's compiler minutes.

#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable

#define LANES 16
#define FUNCTION __attribute__((overloadable, noinline))
#define FOR(i, end) _Pragma("unroll 1") for (int i = 0; i < (end); i++)

// The matrix engine: 8 x 16 times 16 x 16. Row m of the first operand: lane k has column k. The second: element i of
// lane n has rows 2i and 2i + 1 of column n. The sums: element m of lane n.
#define DPAS(FORMAT)                                                                               \
  FUNCTION float8 intel_sub_group_##FORMAT##_##FORMAT##_matrix_mad_k16(                            \
      short8 a, int8 b, float8 sums) {                                                             \
    short rows[8];                                                                                 \
    int pairs[8];                                                                                  \
    float out[8];                                                                                  \
    vstore8(a, 0, rows);                                                                           \
    vstore8(b, 0, pairs);                                                                          \
    vstore8(sums, 0, out);                                                                         \
    FOR(m, 8) FOR(i, 8) {                                                                          \
      out[m] += wide_##FORMAT(sub_group_shuffle(rows[m], 2 * i)) * wide_##FORMAT(pairs[i]);        \
      out[m] += wide_##FORMAT(sub_group_shuffle(rows[m], 2 * i + 1)) * wide_##FORMAT(pairs[i] >> 16); \
    }                                                                                              \
    return vload8(0, out);                                                                         \
  }

float wide_bf16(short x) { return as_float((uint)as_ushort(x) << 16); }
float wide_f16(short x) { return (float)as_half(x); }

// 2D blocks: BLOCKS neighbours of [ROWS, COLUMNS] elements. `width` and `pitch` are bytes; `at` is the place of the
// first element, column before row.
#define MATRIX global char *base, int width, int height, int pitch
#define BLOCK global void *base, int width, int height, int pitch, int2 at
#define NAME(KIND, BITS, ROWS, COLUMNS, BLOCKS)                                                    \
  intel_sub_group_2d_block_##KIND##_##BITS##b_##ROWS##r##COLUMNS##x##BLOCKS##c

// What the hardware requires; where it is not met, loads are all ones, which are NaNs, and stores are left out.
bool is_surface(MATRIX) {
  return (ulong)base % 64 == 0 && width >= 64 && width % 4 == 0 && pitch >= width && pitch % 16 == 0;
}

bool is_inside(int width, int height, int row, int column, int size) {
  return row >= 0 && row < height && column >= 0 && (column + 1) * size <= width;
}

// One element: 0 outside of the matrix.
#define ELEMENT(BITS, TYPE)                                                                        \
  TYPE load##BITS(MATRIX, int row, int column) {                                                   \
    if (!is_surface(base, width, height, pitch)) return (TYPE)-1;                                  \
    if (!is_inside(width, height, row, column, sizeof(TYPE))) return 0;                            \
    return ((global TYPE *)(base + (long)row * pitch))[column];                                    \
  }                                                                                                \
  void store##BITS(MATRIX, int row, int column, TYPE value) {                                      \
    if (is_surface(base, width, height, pitch) && is_inside(width, height, row, column, sizeof(TYPE))) \
      ((global TYPE *)(base + (long)row * pitch))[column] = value;                                 \
  }                                                                                                \
  typedef TYPE element##BITS;

ELEMENT(8, uchar)
ELEMENT(16, ushort)
ELEMENT(32, uint)

#define LOAD(BITS, row, column) load##BITS((global char *)base, width, height, pitch, row, column)

// Lane n has column n of each row.
#define READ(BITS, ROWS, COLUMNS, BLOCKS)                                                          \
  FUNCTION void NAME(read, BITS, ROWS, COLUMNS, BLOCKS)(BLOCK, private element##BITS *out) {       \
    int lane = get_sub_group_local_id();                                                           \
    FOR(block, BLOCKS) FOR(row, ROWS)                                                              \
      out[block * ROWS + row] = LOAD(BITS, at.y + row, at.x + block * COLUMNS + lane);             \
  }

// The same, each row with the next one: lane n has both elements of column n in 32 bits.
#define READ_TRANSFORM(BITS, ROWS, COLUMNS, BLOCKS)                                                \
  FUNCTION void NAME(read_transform, BITS, ROWS, COLUMNS, BLOCKS)(BLOCK, private uint *out) {      \
    int lane = get_sub_group_local_id();                                                           \
    FOR(block, BLOCKS) FOR(pair, ROWS / 2) {                                                       \
      int column = at.x + block * COLUMNS + lane;                                                  \
      uint low = LOAD(BITS, at.y + 2 * pair, column);                                              \
      uint high = LOAD(BITS, at.y + 2 * pair + 1, column);                                         \
      out[block * (ROWS / 2) + pair] = low | high << BITS;                                         \
    }                                                                                              \
  }

// Lane n has row n of each column, and where there are more rows than lanes, row n + LANES.
#define READ_TRANSPOSE(BITS, ROWS, COLUMNS, BLOCKS)                                                \
  FUNCTION void NAME(read_transpose, BITS, ROWS, COLUMNS, BLOCKS)(                                 \
      BLOCK, private element##BITS *out) {                                                         \
    int lane = get_sub_group_local_id();                                                           \
    FOR(column, COLUMNS) FOR(part, ROWS / LANES)                                                   \
      out[column * (ROWS / LANES) + part] = LOAD(BITS, at.y + part * LANES + lane, at.x + column); \
  }

#define WRITE(BITS, ROWS, COLUMNS, BLOCKS)                                                         \
  FUNCTION void NAME(write, BITS, ROWS, COLUMNS, BLOCKS)(BLOCK, private element##BITS *values) {   \
    int lane = get_sub_group_local_id();                                                           \
    FOR(block, BLOCKS) FOR(row, ROWS)                                                              \
      store##BITS((global char *)base, width, height, pitch, at.y + row,                           \
                  at.x + block * COLUMNS + lane, values[block * ROWS + row]);                      \
  }

// Only time depends on it.
#define PREFETCH(BITS, ROWS, COLUMNS, BLOCKS)                                                      \
  FUNCTION void NAME(prefetch, BITS, ROWS, COLUMNS, BLOCKS)(BLOCK) {}

