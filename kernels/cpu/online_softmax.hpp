// Online softmax of a few queries over blocks of keys and values; all sums in float32.
#pragma once

#include <type_traits>

#include "segments.hpp"

constexpr int BLOCK_KEYS = 32;         // 16 KiB of keys and values in float32 at head size 64
constexpr int TRANSPOSE_MIN_ROWS = 6;  // queries from which on transposing the keys pays

// Keys and values in float32, and their positions.
struct KVBlock {
    float* k;  // [BLOCK_KEYS, width]
    float* v;
    float* k_transposed;  // [width, BLOCK_KEYS]
    float positions[BLOCK_KEYS];
    int n = 0;

    KVBlock(float* memory, int64_t width)
        : k(memory),
          v(memory + BLOCK_KEYS * width),
          k_transposed(memory + 2 * BLOCK_KEYS * width) {}
    static int64_t floats(int64_t width) { return 3 * BLOCK_KEYS * width; }

    template <class Stored>
    INLINE void append(const KVRows<Stored>& rows, int64_t token, int64_t d, int64_t width,
                       int64_t position) {
        const Stored *key = rows.k + token * rows.stride, *value = rows.v + token * rows.stride;
        float *k_row = k + n * width, *v_row = v + n * width;
        for (int64_t i = 0; i < width; i += LANES) {
            vec key_part = load_tail(key + i, d - i), value_part = load_tail(value + i, d - i);
            if constexpr (std::is_same_v<Stored, int8_t>) {
                key_part *= rows.k_scale[token];
                value_part *= rows.v_scale[token];
            }
            store(k_row + i, key_part);
            store(v_row + i, value_part);
        }
        positions[n++] = position;
    }

    void transpose_keys(int64_t width) const {
        for (int j = 0; j < n; j += LANES)
            for (int64_t i = 0; i < width; i += LANES) {
                vec tile[LANES];
                for (int l = 0; l < LANES; l++) tile[l] = load(k + (j + l) * width + i);
                transpose(tile);
                for (int l = 0; l < LANES; l++)
                    store(k_transposed + (i + l) * BLOCK_KEYS + j, tile[l]);
            }
    }
};

// The queries of one key/value head, and their softmax over the keys so far.
struct OnlineSoftmax {
    const float* q;       // [rows, width], scaled
    const float* slopes;  // [rows] or null
    float* acc;           // a partial result, see `Partials`
    int64_t width;
    int rows;
    float softcap;

    float* row_max() const { return acc + rows * width; }
    float* row_sum() const { return acc + rows * (width + 1); }

    void reset() const {
        for (int64_t i = 0; i < rows * width; i++) acc[i] = 0;
        for (int r = 0; r < rows; r++) {
            row_max()[r] = -INFINITY;
            row_sum()[r] = 0;
        }
    }

    // Scores of one row with LANES keys: a vector of sums for each key, added up at the end.
    INLINE vec scores(int row, const float* keys) const {
        vec sums[LANES] = {};
        for (int64_t i = 0; i < width; i += LANES) {
            vec query = load(q + row * width + i);
            for (int j = 0; j < LANES; j++) sums[j] += query * load(keys + j * width + i);
        }
        return horizontal_sums(sums);
    }

    // Scores of R rows with 2 LANES transposed keys: a lane is a key, and no sum crosses lanes.
    template <int R>
    INLINE void scores(int row, const float* keys, float (*out)[BLOCK_KEYS]) const {
        vec sums[R][2] = {};
        const float* query = q + row * width;
        for (int64_t i = 0; i < width; i++) {
            vec low = load(keys + i * BLOCK_KEYS), high = load(keys + i * BLOCK_KEYS + LANES);
            for (int r = 0; r < R; r++) {
                sums[r][0] += query[r * width + i] * low;
                sums[r][1] += query[r * width + i] * high;
            }
        }
        for (int r = 0; r < R; r++) {
            store(out[r], sums[r][0]);
            store(out[r] + LANES, sums[r][1]);
        }
    }

    // Replaces scores by exp(score - row_max). Returns the factor that rescales what was
    // accumulated under the previous maximum.
    float update(int row, const KVBlock& block, float* scores) const {
        vec lane_max = broadcast(-INFINITY);
        for (int j = 0; j < block.n; j += LANES) {
            vec s = load(scores + j);
            if (softcap != 0) s = softcap * vec_tanh(s / softcap);
            if (slopes) s += slopes[row] * load(block.positions + j);
            for (int i = block.n - j; i < LANES; i++) s[i] = -INFINITY;
            store(scores + j, s);
            lane_max = select((ivec)(s > lane_max), s, lane_max);
        }
        float old_max = row_max()[row], block_max = horizontal_max(lane_max);
        float new_max = block_max > old_max ? block_max : old_max;
        vec sums = {};
        for (int j = 0; j < block.n; j += LANES) {
            vec p = vec_exp(load(scores + j) - new_max);
            store(scores + j, p);
            sums += p;
        }
        float rescale = new_max == old_max ? 1 : std::exp(old_max - new_max);
        row_max()[row] = new_max;
        row_sum()[row] = row_sum()[row] * rescale + horizontal_sum(sums);
        return rescale;
    }

    // Adds the block's weighted values to R rows, D vectors of each at a time.
    template <int R, int D>
    INLINE void accumulate(int row, int64_t column, const KVBlock& block,
                           const float (*weights)[BLOCK_KEYS], const float* rescale) const {
        vec sums[R][D];
        for (int r = 0; r < R; r++)
            for (int i = 0; i < D; i++)
                sums[r][i] = load(acc + (row + r) * width + column + i * LANES) * rescale[r];
        for (int j = 0; j < block.n; j++)
            for (int i = 0; i < D; i++) {
                vec value = load(block.v + j * width + column + i * LANES);
                for (int r = 0; r < R; r++) sums[r][i] += weights[r][j] * value;
            }
        for (int r = 0; r < R; r++)
            for (int i = 0; i < D; i++)
                store(acc + (row + r) * width + column + i * LANES, sums[r][i]);
    }

    template <int R>
    void attend(int row, const KVBlock& block, bool transposed) const {
        float weights[R][BLOCK_KEYS], rescale[R];
        if (transposed)
            for (int j = 0; j < block.n; j += 2 * LANES)
                scores<R>(row, block.k_transposed + j, (float (*)[BLOCK_KEYS])(weights[0] + j));
        for (int r = 0; r < R; r++) {
            for (int j = 0; !transposed && j < block.n; j += LANES)
                store(weights[r] + j, scores(row + r, block.k + j * width));
            rescale[r] = update(row + r, block, weights[r]);
        }
        constexpr int D = LANES == 16 ? 4 : 2;
        int64_t column = 0;
        for (; column + D * LANES <= width; column += D * LANES)
            accumulate<R, D>(row, column, block, weights, rescale);
        for (; column < width; column += LANES)
            accumulate<R, 1>(row, column, block, weights, rescale);
    }

    // Rows [begin, end) attend to the block, which is emptied.
    void attend(int begin, int end, KVBlock& block) const {
        if (block.n == 0) return;
        bool transposed = end - begin >= TRANSPOSE_MIN_ROWS;
        if (transposed) block.transpose_keys(width);
        int row = begin;
        for (; row + 4 <= end; row += 4) attend<4>(row, block, transposed);
        if (end - row == 3) attend<3>(row, block, transposed);
        if (end - row == 2) attend<2>(row, block, transposed);
        if (end - row == 1) attend<1>(row, block, transposed);
        block.n = 0;
    }
};
