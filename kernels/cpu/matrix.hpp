// A matrix as it lies in memory: dense, or in blocks of one or several formats.
#pragma once

#include "packed.hpp"
#include "threads.hpp"

// Rows of one format, one after the other. Dense rows have the dtype of the model.
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

// Calls `work(F{})` with the structure of a block format, or returns false for a dense one.
template <class Work>
INLINE bool with_block_format(int32_t format, Work work) {
    switch (format) {
        case GGML_Q4_0: return work(Q4_0{}), true;
        case GGML_Q4_1: return work(Q4_1{}), true;
        case GGML_Q8_0: return work(Q8_0{}), true;
        case GGML_Q4_K: return work(Q4_K{}), true;
        case GGML_Q5_K: return work(Q5_K{}), true;
        case GGML_Q6_K: return work(Q6_K{}), true;
        default: return false;
    }
}

// Rows of activations of a GEMV: as the prologue leaves them, and arranged for the format of the
// weights that they were last multiplied with.
template <class T>
class Activations {
    float* arranged_;
    int32_t arranged_for_ = GGML_F32;

public:
    Operand<T>* operand;  // [rows, round_up(k)], zero from k on
    int rows = 0;
    int64_t k = 0;

    Activations(Operand<T>* operand, float* arranged) : arranged_(arranged), operand(operand) {}

    // The prologue: float32 in, normed and rounded to operands.
    void assign(const float* x, int64_t x_stride, int64_t new_k, int new_rows, Norm<T> norm) {
        rows = new_rows;
        k = new_k;
        arranged_for_ = GGML_F32;
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
        bool packed = with_block_format(part.format, [&](auto format) {
            typedef decltype(format) F;
            const float* arranged = x.template arranged<F>(part.format);
            packed_gemv<F>(part.row(0), part.row_bytes, part_rows.begin, part_rows.end, x.rows,
                           arranged, x.arranged_stride(), part_out, out_stride);
        });
        if (!packed)
            gemv(static_cast<const T*>(part.data), x.k, part_rows.begin, part_rows.end, x.rows,
                 x.operand, round_up(x.k), part_out, out_stride);
    });
}

// A row of blocks, as T.
template <class F, class T>
void unpack_row(const uint8_t* row, int64_t k, T* out) {
    for (int64_t i = 0; i < k; i += F::elements, row += F::bytes, out += F::elements) {
        float block[F::elements];
        F::unpack(row, block);
        from_float32(block, F::elements, out);
    }
}

// Columns of one row of an embedding, rounded to T.
template <class T>
void lookup(const Matrix& matrix, int64_t row, IndexRange columns, float* out) {
    for_parts(matrix, {row, row + 1}, [&](const MatrixPart& part, int64_t, IndexRange rows) {
        const uint8_t* data = part.row(rows.begin);
        bool packed = with_block_format(part.format, [&](auto format) {
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
        const T* dense = reinterpret_cast<const T*>(data);
        if (!packed) to_float32(dense + columns.begin, columns.size(), out);
    });
}
