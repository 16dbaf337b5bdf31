// Keys and values in memory, what a query may see of them, and how threads divide them.
#pragma once

#include "gemv.hpp"
#include "threads.hpp"

// Keys and values [b, g, tokens, d]; strides in elements, that of the last axis is 1. With scales
// [b, g, tokens], those of the tokens side by side, they are int8.
struct KVSegment {
    void* k;
    void* v;
    float* k_scale;
    float* v_scale;
    int64_t batch, head, token, scale_batch, scale_head;

    bool is_int8() const { return k_scale != nullptr; }
    int64_t offset(int64_t request, int64_t g) const { return request * batch + g * head; }
    int64_t scale_offset(int64_t request, int64_t g) const {
        return request * scale_batch + g * scale_head;
    }
};

// The keys and values of one request and head, as they are stored.
template <class Stored>
struct KVRows {
    Stored *k, *v;
    float *k_scale, *v_scale;
    int64_t stride;

    KVRows(const KVSegment& segment, int64_t request, int64_t g) : stride(segment.token) {
        int64_t offset = segment.offset(request, g);
        k = static_cast<Stored*>(segment.k) + offset;
        v = static_cast<Stored*>(segment.v) + offset;
        if (!segment.is_int8()) return;
        k_scale = segment.k_scale + segment.scale_offset(request, g);
        v_scale = segment.v_scale + segment.scale_offset(request, g);
    }
};

// Which keys a query sees; arguments of `segment_attention`, see tinyllm.check.references.
struct AttentionMask {
    const int32_t* lengths;           // [2]: tokens of the prompt, steps of the response
    const int32_t* beam_index;        // [b, w, steps]; null: every sequence has its own slots
    const int32_t* prompt_positions;  // [b, tokens], negative for padding; null: 0, 1, ...
    const float* slopes;              // [h]: ALiBi; null: none
    int64_t beam_index_batch, beam_index_beam, prompt_positions_batch;  // strides
    int64_t window;                                                     // 0: none
    float scale, softcap;                                               // softcap 0: none

    int64_t prompt_tokens() const { return lengths[0]; }
    int64_t steps() const { return lengths[1]; }
    int64_t first_visible() const {  // counted from the first token of the prompt
        int64_t total = prompt_tokens() + steps();
        return window > 0 && window < total ? total - window : 0;
    }
};

constexpr int MAX_HEAD_DIM = 1024;

struct AttentionShape {
    int32_t b, w, h, g, d;
    int group() const { return h / g; }
    int rows() const { return w * group(); }  // queries of a key/value head, beam by beam
    int64_t width() const { return round_up(d, LANES); }
};

// Whether the beam index names one of `w` slots for every sequence and step: slots are addresses.
inline bool names_slots(const AttentionMask& mask, const AttentionShape& shape) {
    for (int64_t sequence = 0; mask.beam_index && sequence < shape.b * shape.w; sequence++) {
        const int32_t* slots = mask.beam_index + sequence / shape.w * mask.beam_index_batch +
                               sequence % shape.w * mask.beam_index_beam;
        for (int64_t step = 0; step < mask.steps(); step++)
            if (slots[step] < 0 || slots[step] >= shape.w) return false;
    }
    return true;
}

// The visible keys of all (request, head) pairs, one pair after the other, in one equal stretch
// for each thread.
struct KeyPartition {
    int64_t keys, total;  // of a pair, of all pairs
    int num_threads;
    KeyPartition(const AttentionMask& mask, const AttentionShape& shape, int num_threads)
        : keys(mask.prompt_tokens() + mask.steps() - mask.first_visible()),
          total(keys * shape.b * shape.g),
          num_threads(num_threads) {}
    int64_t begin(int thread) const { return total * thread / num_threads; }
    int owner(int64_t key) const { return ((key + 1) * num_threads - 1) / total; }
    int first_thread(int64_t pair) const { return owner(pair * keys); }
    int last_thread(int64_t pair) const { return owner((pair + 1) * keys - 1); }
};

// Partial results of split-KV attention: weighted sums of values [rows, width], then each row's
// maximum and sum of exponentials. They are stored in the order of pair and thread, each step of
// which increases one of the two: pair + thread is an index.
struct Partials {
    float* memory;
    int64_t size;
    float* at(int64_t pair, int thread) const { return memory + (pair + thread) * size; }
    static int64_t floats(const AttentionShape& shape) {
        return round_up(shape.rows() * (shape.width() + 2), 16);
    }
};

// RoPE: cosine and sine of each pair of elements, for every row. The first 2 * num_pairs elements
// of a head are rotated.
struct RotaryEmbedding {
    const float* cos;
    const float* sin;
    int64_t row_stride, num_pairs;
    bool interleaved;

    void rotate(const float* x, int64_t d, int64_t row, float* out) const {
        const float* cos_row = cos + row * row_stride;
        const float* sin_row = sin + row * row_stride;
        int64_t distance = interleaved ? 1 : num_pairs, step = interleaved ? 2 : 1;
        for (int64_t i = 0; i < num_pairs; i++) {
            float x1 = x[i * step], x2 = x[i * step + distance];
            out[i * step] = x1 * cos_row[i] - x2 * sin_row[i];
            out[i * step + distance] = x2 * cos_row[i] + x1 * sin_row[i];
        }
        for (int64_t i = 2 * num_pairs; i < d; i++) out[i] = x[i];
    }
};

// Queries, keys and values of this step, in one row for each sequence; k and v are null where they
// have been stored already.
template <class T>
struct NewQKV {
    const float* q;
    const float* k;
    const float* v;
    int64_t row_stride, q_head, kv_head;
    const RotaryEmbedding* rope;
    Norm<T> q_norm, k_norm;

    // A head of q or k as attention takes it: normalised, then rotated; each where there is one.
    void norm_and_rotate(const float* x, const Norm<T>& norm, int64_t d, int64_t row,
                         float* out) const {
        float normed[MAX_HEAD_DIM];
        if (norm.weight) {
            norm_row(x, d, norm, normed);
            x = normed;
        }
        if (rope)
            rope->rotate(x, d, row, out);
        else
            std::memcpy(out, x, d * sizeof(float));
    }
};
