// A matrix as it lies in memory: dense, or in blocks of one or several formats.
#pragma once

#include "packed.hpp"
#include "threads.hpp"

// Rows of one format, one after the other.
struct MatrixPart {
    const void* data;
    int64_t rows, row_bytes;
    int32_t format;  // a GgmlType

    const uint8_t* row(int64_t i) const {
        return static_cast<const uint8_t*>(data) + i * row_bytes;
    }
};

// The rows of its parts, one part below the other.
struct Matrix {
    const MatrixPart* parts;
    int64_t num_parts;
};

// Calls `work(part, first, range)` for every part that has some of the rows; `range` counts from
// `first`, the row of the matrix where the part begins.
template <class Work>
INLINE void for_parts(const Matrix& matrix, IndexRange rows, Work work) {
    int64_t first = 0;
    for (int64_t i = 0; i < matrix.num_parts && first < rows.end; i++) {
        const MatrixPart& part = matrix.parts[i];
        int64_t end = first + part.rows;
        IndexRange range{rows.begin > first ? rows.begin - first : 0,
                         (rows.end < end ? rows.end : end) - first};
        if (range.begin < range.end) work(part, first, range);
        first = end;
    }
}

// Calls `work(F{})` with the structure of a block format.
template <class Work>
INLINE void with_format(int32_t format, Work work) {
    switch (format) {
        case GGML_F32: return work(Numbers<float>{});
        case GGML_F16: return work(Numbers<fp16>{});
        case GGML_BF16: return work(Numbers<bf16>{});
        case GGML_Q4_0: return work(Q4_0{});
        case GGML_Q4_1: return work(Q4_1{});
        case GGML_Q8_0: return work(Q8_0{});
        case GGML_Q4_K: return work(Q4_K{});
        case GGML_Q5_K: return work(Q5_K{});
        case GGML_Q6_K: return work(Q6_K{});
        case group_format(4, 32): return work(IntGroup<4, 32>{});
        case group_format(4, 64): return work(IntGroup<4, 64>{});
        case group_format(4, 128): return work(IntGroup<4, 128>{});
        case group_format(8, 32): return work(IntGroup<8, 32>{});
        case group_format(8, 64): return work(IntGroup<8, 64>{});
        case group_format(8, 128): return work(IntGroup<8, 128>{});
    }
}

template <class T>
struct FormatOf;
template <>
struct FormatOf<float> {
    static constexpr int32_t value = GGML_F32;
};
template <>
struct FormatOf<fp16> {
    static constexpr int32_t value = GGML_F16;
};
template <>
struct FormatOf<bf16> {
    static constexpr int32_t value = GGML_BF16;
};

// Rows of activations of a GEMV: as the prologue leaves them, and arranged for the format of the
// weights that they were last multiplied with.
template <class T>
class Activations {
    static constexpr int32_t NONE_YET = -1;
    float* arranged_;
    int32_t arranged_for_ = NONE_YET;

public:
    Operand<T>* operand;  // [rows, round_up(k)], zero from k on
    int rows = 0;
    int64_t k = 0;

    Activations(Operand<T>* operand, float* arranged) : arranged_(arranged), operand(operand) {}

    // The prologue: float32 in, normed and rounded to operands.
    void assign(const float* x, int64_t x_stride, int64_t new_k, int new_rows, Norm<T> norm) {
        rows = new_rows;
        k = new_k;
        arranged_for_ = NONE_YET;
        norm_rows(x, x_stride, k, rows, norm, operand);
    }
    int64_t arranged_stride() const { return arranged_floats(k); }

    template <class F>
    const float* arranged(int32_t format) {
        for (int r = 0; format != arranged_for_ && r < rows; r++)
            Arrangement<F>::arrange(operand + r * round_up(k), k, arranged_ + r * arranged_stride());
        arranged_for_ = format;
        return arranged_;
    }
};

// Products with the rows of a matrix from `first_row` on: out[r * out_stride + n], n in `range`.
template <class T>
void gemv(const Matrix& matrix, int64_t first_row, IndexRange range, Activations<T>& x, float* out,
          int64_t out_stride) {
    IndexRange rows{first_row + range.begin, first_row + range.end};
    for_parts(matrix, rows, [&](const MatrixPart& part, int64_t first, IndexRange part_rows) {
        float* part_out = out + first - first_row;
        if (part.format == FormatOf<T>::value)
            return gemv(static_cast<const T*>(part.data), x.k, part_rows.begin, part_rows.end,
                        x.rows, x.operand, round_up(x.k), part_out, out_stride);
        with_format(part.format, [&](auto format) {
            typedef decltype(format) F;
            const float* arranged = x.template arranged<F>(part.format);
            packed_gemv<F>(part.row(0), part.row_bytes, part_rows.begin, part_rows.end, x.rows,
                           arranged, x.arranged_stride(), part_out, out_stride);
        });
    });
}

// A block as float32.
template <class F>
INLINE void unpack_block(const uint8_t* p, float* out) {
    if constexpr (requires { typename F::Values; }) {
        typename F::Values block(p);
        for (int i = 0; i < F::elements; i += LANES) store(out + i, block.scale * block.at(i));
    } else if constexpr (requires { typename F::Number; }) {
        to_float32(reinterpret_cast<const typename F::Number*>(p), 1, out);
    } else {
        F::unpack(p, out);
    }
}

// A row of blocks, as T.
template <class F, class T>
void unpack_row(const uint8_t* row, int64_t k, T* out) {
    if constexpr (requires { typename F::Number; }) {
        const auto* numbers = reinterpret_cast<const typename F::Number*>(row);
        for (int64_t i = 0; i < k; i += 64) {
            float some[64];
            int64_t count = k - i < 64 ? k - i : 64;
            to_float32(numbers + i, count, some);
            from_float32(some, count, out + i);
        }
        return;
    }
    for (int64_t i = 0; i < k; i += F::elements, row += F::bytes, out += F::elements) {
        float block[F::elements];
        unpack_block<F>(row, block);
        from_float32(block, F::elements, out);
    }
}

// Columns of one row of an embedding, rounded to T.
template <class T>
void lookup(const Matrix& matrix, int64_t row, IndexRange columns, float* out) {
    for_parts(matrix, {row, row + 1}, [&](const MatrixPart& part, int64_t, IndexRange rows) {
        const uint8_t* data = part.row(rows.begin);
        if (part.format == FormatOf<T>::value)
            return to_float32(reinterpret_cast<const T*>(data) + columns.begin, columns.size(),
                              out);
        with_format(part.format, [&](auto format) {
            typedef decltype(format) F;
            for (int64_t i = columns.begin; i < columns.end;) {
                T block[F::elements];
                unpack_row<F>(data + i / F::elements * F::bytes, F::elements, block);
                int64_t first = i % F::elements, rest = F::elements - first;
                int64_t count = columns.end - i < rest ? columns.end - i : rest;
                to_float32(block + first, count, out + i - columns.begin);
                i += count;
            }
        });
    });
}
