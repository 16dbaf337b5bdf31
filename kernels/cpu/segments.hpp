// Where keys and values lie, what a sequence may see of them, and how threads divide them.
#pragma once

#include "product.hpp"
#include "team.hpp"

struct Memory {  // [b, g, tokens, d]; strides in elements, the last one is 1
    void* k;
    void* v;
    int64_t batch, head, token;
};

struct Sight {  // arguments of `segment_attention`, see tinyllm.check.references
    const int32_t* lengths;
    const int32_t* ancestry;
    const int32_t* positions;
    const float* slopes;
    int64_t ancestry_batch, ancestry_row, positions_batch;
    int64_t window;  // 0: all is seen
    float scale, softcap;  // softcap 0: none

    int64_t tokens() const { return lengths[0]; }
    int64_t steps() const { return lengths[1]; }
    int64_t begin() const {  // of what is seen, counted from the first token of the prompt
        int64_t all = tokens() + steps();
        return window && window < all ? all - window : 0;
    }
};

constexpr int MAX_HEAD = 1024;

struct Heads {
    int32_t b, w, h, g, d;
    int group() const { return h / g; }
    int rows() const { return w * group(); }  // queries of one key/value head, those of a sequence side by side
    int64_t width() const { return padded(d, W); }
};

// Where the stretch of each thread begins on the line of `pairs * units` keys, those in sight of each pair.
struct Line {
    int64_t units, total;
    int threads;
    Line(const Sight& sight, const Heads& n, int threads)
        : units(sight.tokens() + sight.steps() - sight.begin()), total(units * n.b * n.g), threads(threads) {}
    int64_t begin(int t) const { return total * t / threads; }
    int owner(int64_t unit) const { return ((unit + 1) * threads - 1) / total; }
    int first(int64_t pair) const { return owner(pair * units); }
    int last(int64_t pair) const { return owner((pair + 1) * units - 1); }
};

// A partial result: numerators [rows, width], then the largest score and the sum of exponentials of each row.
// Pieces are in the order of pair and thread, each step of which increases one of the two: their sum is a number.
struct Pieces {
    float* memory;
    int64_t size;
    float* of(int64_t pair, int thread) const { return memory + (pair + thread) * size; }
    static int64_t floats(const Heads& n) { return padded(n.rows() * (n.width() + 2), 16); }
};

// Cosine and sine of each pair of elements, for every row; the first 2 * pairs elements of a head are turned.
struct Rotary {
    const float* cosine;
    const float* sine;
    int64_t row, pairs;
    bool interleaved;

    void turn(const float* x, int64_t d, int64_t r, float* out) const {
        const float *c = cosine + r * row, *s = sine + r * row;
        int64_t apart = interleaved ? 1 : pairs, step = interleaved ? 2 : 1;
        for (int64_t i = 0; i < pairs; i++) {
            float a = x[i * step], b = x[i * step + apart];
            out[i * step] = a * c[i] - b * s[i];
            out[i * step + apart] = b * c[i] + a * s[i];
        }
        for (int64_t i = 2 * pairs; i < d; i++) out[i] = x[i];
    }
};

// Queries, keys and values of this step, side by side in a row; k and v null where they are in memory already.
template <class T>
struct Fresh {
    const float* q;
    const float* k;
    const float* v;
    int64_t row, q_head, kv_head;  // elements from row to row, and from head to head
    const Rotary* rotary;
    Norm<T> q_norm, k_norm;

    // A head of row r as attention takes it: normalised, then turned, where there is something to do it with.
    void ready(const float* x, const Norm<T>& norm, int64_t d, int64_t r, float* out) const {
        float normed[MAX_HEAD];
        if (norm.weight) prepare_row(x, d, norm, normed), x = normed;
        if (rotary) rotary->turn(x, d, r, out);
        else std::memcpy(out, x, d * sizeof(float));
    }
};

template <class T>
void widen(const T* x, int64_t n, float* out) {
    for (int64_t i = 0; i < n; i += W) store_some(out + i, load_some(x + i, n - i), n - i);
}

template <class T>
void narrow(const float* x, int64_t d, T* out) {
    for (int64_t i = 0; i < d; i += W) store_some(out + i, load_some(x + i, d - i), d - i);
}
