// What a few queries gather from a block of keys and values: softmax in one pass, all sums in float32.
#pragma once

#include "segments.hpp"

constexpr int KEYS = 32;  // of a block: 16 KiB of keys and values in float32 at head size 64
constexpr int MANY = 6;   // queries for which it is worth turning a block of keys over

// Some keys and values in float32, and where they stand.
struct Block {
    float* k;  // [KEYS, width]
    float* v;
    float* turned;  // [width, KEYS]
    float where[KEYS];
    int n = 0;

    Block(float* memory, int64_t width)
        : k(memory), v(memory + KEYS * width), turned(memory + 2 * KEYS * width) {}
    static int64_t floats(int64_t width) { return 3 * KEYS * width; }

    template <class T>
    INLINE void take(const T* key, const T* value, int64_t d, int64_t width, int64_t position) {
        float *k_row = k + n * width, *v_row = v + n * width;
        for (int64_t i = 0; i < width; i += W) {
            store(k_row + i, load_some(key + i, d - i));
            store(v_row + i, load_some(value + i, d - i));
        }
        where[n++] = position;
    }

    void turn(int64_t width) const {
        for (int j = 0; j < n; j += W)
            for (int64_t i = 0; i < width; i += W) {
                vec tile[W];
                for (int l = 0; l < W; l++) tile[l] = load(k + (j + l) * width + i);
                transpose(tile);
                for (int l = 0; l < W; l++) store(turned + (i + l) * KEYS + j, tile[l]);
            }
    }
};

// The queries of one key/value head, and what they have gathered.
struct Gather {
    const float* q;  // [rows, width], scaled
    const float* slope;  // of each row, or null
    float* sums;  // a piece
    int64_t width;
    int rows;
    float softcap;

    float* largest_score() const { return sums + rows * width; }
    float* weight() const { return sums + rows * (width + 1); }

    void start() const {
        for (int64_t i = 0; i < rows * width; i++) sums[i] = 0;
        for (int r = 0; r < rows; r++) largest_score()[r] = -INFINITY, weight()[r] = 0;
    }

    // Scores of one row with W keys: every key has a sum of its own, W lanes of which are added at the end.
    INLINE vec scores(int row, const float* keys) const {
        vec total[W] = {};
        for (int64_t i = 0; i < width; i += W) {
            vec query = load(q + row * width + i);
            for (int j = 0; j < W; j++) total[j] += query * load(keys + j * width + i);
        }
        return sums_of(total);
    }

    // Scores of R rows with 2 W keys of a block that is turned over: a lane is a key, and nothing is added up.
    template <int R>
    INLINE void scores(int row, const float* keys, float (*out)[KEYS]) const {
        vec total[R][2] = {};
        const float* query = q + row * width;
        for (int64_t i = 0; i < width; i++) {
            vec first = load(keys + i * KEYS), second = load(keys + i * KEYS + W);
            for (int r = 0; r < R; r++) {
                total[r][0] += query[r * width + i] * first;
                total[r][1] += query[r * width + i] * second;
            }
        }
        for (int r = 0; r < R; r++) store(out[r], total[r][0]), store(out[r] + W, total[r][1]);
    }

    // Scores become weights; returns how much what was gathered before is worth beside them.
    float weigh(int row, const Block& block, float* weights) const {
        vec top = spread(-INFINITY);
        for (int j = 0; j < block.n; j += W) {
            vec s = load(weights + j);
            if (softcap != 0) s = softcap * tangent(s / softcap);
            if (slope) s += slope[row] * load(block.where + j);
            for (int i = block.n - j; i < W; i++) s[i] = -INFINITY;
            store(weights + j, s);
            top = pick((ivec)(s > top), s, top);
        }
        float before = largest_score()[row], here = largest(top), most = here > before ? here : before;
        vec total = {};
        for (int j = 0; j < block.n; j += W) {
            vec p = exponential(load(weights + j) - most);
            store(weights + j, p);
            total += p;
        }
        float kept = most == before ? 1 : std::exp(before - most);
        largest_score()[row] = most;
        weight()[row] = weight()[row] * kept + sum(total);
        return kept;
    }

    // Add the block's values to R rows, D vectors of each at a time.
    template <int R, int D>
    INLINE void add(int row, int64_t at, const Block& block, const float (*weights)[KEYS], const float* kept) const {
        vec total[R][D];
        for (int r = 0; r < R; r++)
            for (int i = 0; i < D; i++) total[r][i] = load(sums + (row + r) * width + at + i * W) * kept[r];
        for (int j = 0; j < block.n; j++)
            for (int i = 0; i < D; i++) {
                vec value = load(block.v + j * width + at + i * W);
                for (int r = 0; r < R; r++) total[r][i] += weights[r][j] * value;
            }
        for (int r = 0; r < R; r++)
            for (int i = 0; i < D; i++) store(sums + (row + r) * width + at + i * W, total[r][i]);
    }

    template <int R>
    void see(int row, const Block& block, bool turned) const {
        float weights[R][KEYS], kept[R];
        if (turned)
            for (int j = 0; j < block.n; j += 2 * W) scores<R>(row, block.turned + j, (float(*)[KEYS])(weights[0] + j));
        for (int r = 0; r < R; r++) {
            for (int j = 0; !turned && j < block.n; j += W) store(weights[r] + j, scores(row + r, block.k + j * width));
            kept[r] = weigh(row + r, block, weights[r]);
        }
        constexpr int D = W == 16 ? 4 : 2;
        int64_t at = 0;
        for (; at + D * W <= width; at += D * W) add<R, D>(row, at, block, weights, kept);
        for (; at < width; at += W) add<R, 1>(row, at, block, weights, kept);
    }

    // Rows [from, to) look at the block, which is empty afterwards.
    void see(int from, int to, Block& block) const {
        if (block.n == 0) return;
        bool turned = to - from >= MANY;
        if (turned) block.turn(width);
        int row = from;
        for (; row + 4 <= to; row += 4) see<4>(row, block, turned);
        if (to - row == 3) see<3>(row, block, turned);
        if (to - row == 2) see<2>(row, block, turned);
        if (to - row == 1) see<1>(row, block, turned);
        block.n = 0;
    }
};
