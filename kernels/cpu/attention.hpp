// Split-KV attention of a few sequences that share a prompt: over the prompt, each key read once
// for all of them, and over each sequence's own path through the response, gathered through the
// beam index. Exact online softmax, all sums in float32.
//
// The visible keys of all requests and key/value heads are divided equally among the threads; each
// thread stores a partial result for every (request, head) pair of its stretch, and
// `reduce_partials` combines them.
#pragma once

#include "online_softmax.hpp"

// One thread's part of the attention of one layer.
template <class T>
struct Attention {
    AttentionShape shape;
    KVSegment prompt, response;
    AttentionMask mask;
    NewQKV<T> new_qkv;
    KeyPartition partition;
    Partials partials;
    float* scratch;  // of this thread: `floats(shape)`

    static int64_t floats(const AttentionShape& shape) {
        return round_up(shape.rows() * (shape.width() + 1) + KVBlock::floats(shape.width()), 16);
    }

    void run(int thread) const {
        int64_t begin = partition.begin(thread), end = partition.begin(thread + 1);
        for (int64_t pair = begin / partition.keys; begin < end; pair++) {
            int64_t pair_end = (pair + 1) * partition.keys;
            int64_t stop = pair_end < end ? pair_end : end;
            int64_t first_token = pair * partition.keys - mask.first_visible();
            attend_pair(pair, thread, begin - first_token, stop - first_token);
            begin = stop;
        }
    }

    // Tokens [begin, end), counted through prompt and response, of one (request, head) pair.
    void attend_pair(int64_t pair, int thread, int64_t begin, int64_t end) const {
        int64_t request = pair / shape.g, head = pair % shape.g, t = mask.prompt_tokens();
        int64_t width = shape.width();
        KVBlock block(scratch + shape.rows() * width, width);
        float* slopes = mask.slopes ? block.k + KVBlock::floats(width) : nullptr;
        OnlineSoftmax softmax{scratch, slopes,       partials.at(pair, thread),
                              width,   shape.rows(), mask.softcap};
        softmax.reset();
        load_queries(request, head, slopes);
        if (end == t + mask.steps() && new_qkv.k) store_kv(request, head);
        if (prompt.is_int8())
            attend_stored<int8_t>(softmax, block, request, head, begin, end);
        else
            attend_stored<T>(softmax, block, request, head, begin, end);
    }

    // The same, over keys and values of the type that they are stored in.
    template <class Stored>
    void attend_stored(const OnlineSoftmax& softmax, KVBlock& block, int64_t request, int64_t head,
                       int64_t begin, int64_t end) const {
        int64_t t = mask.prompt_tokens();
        KVRows<Stored> of_prompt(prompt, request, head), of_response(response, request, head);
        if (begin < t) attend_prompt(softmax, block, of_prompt, request, begin, end < t ? end : t);
        if (end <= t) return;
        attend_response(softmax, block, of_response, request, (begin > t ? begin : t) - t, end - t);
    }

    void load_queries(int64_t request, int64_t head, float* slopes) const {
        int group = shape.group();
        for (int row = 0; row < shape.rows(); row++) {
            int64_t sequence = request * shape.w + row / group, h = head * group + row % group;
            float* q = scratch + row * shape.width();
            const float* x = new_qkv.q + sequence * new_qkv.row_stride + h * new_qkv.q_head;
            new_qkv.norm_and_rotate(x, new_qkv.q_norm, shape.d, sequence, q);
            for (int64_t i = 0; i < shape.d; i++) q[i] *= mask.scale;
            for (int64_t i = shape.d; i < shape.width(); i++) q[i] = 0;
            if (slopes) slopes[row] = mask.slopes[h];
        }
    }

    // Stores this step's keys and values; done by the thread that reads them first.
    void store_kv(int64_t request, int64_t head) const {
        float k[MAX_HEAD_DIM];
        for (int beam = 0; beam < shape.w; beam++) {
            int64_t sequence = request * shape.w + beam;
            int64_t slot = (mask.steps() - 1) * shape.w + beam;
            int64_t from = sequence * new_qkv.row_stride + head * new_qkv.kv_head;
            new_qkv.norm_and_rotate(new_qkv.k + from, new_qkv.k_norm, shape.d, sequence, k);
            store_rows(request, head, slot, k, new_qkv.v + from);
        }
    }

    void store_rows(int64_t request, int64_t head, int64_t slot, const float* k,
                    const float* v) const {
        if (response.is_int8()) {
            KVRows<int8_t> rows(response, request, head);
            rows.k_scale[slot] = quantize<T>(k, shape.d, rows.k + slot * rows.stride);
            rows.v_scale[slot] = quantize<T>(v, shape.d, rows.v + slot * rows.stride);
            return;
        }
        KVRows<T> rows(response, request, head);
        from_float32(k, shape.d, rows.k + slot * rows.stride);
        from_float32(v, shape.d, rows.v + slot * rows.stride);
    }

    template <class Stored>
    void attend_prompt(const OnlineSoftmax& softmax, KVBlock& block, const KVRows<Stored>& rows,
                       int64_t request, int64_t begin, int64_t end) const {
        const int32_t* positions = mask.prompt_positions;
        if (positions) positions += request * mask.prompt_positions_batch;
        for (int64_t i = begin; i < end; i++) {
            if (positions && positions[i] < 0) continue;
            int64_t position = positions ? positions[i] : i;
            block.append(rows, i, shape.d, shape.width(), position);
            if (block.n == BLOCK_KEYS) softmax.attend(0, shape.rows(), block);
        }
        softmax.attend(0, shape.rows(), block);
    }

    // Every sequence along its own path: at each step, the slot that the beam index names.
    template <class Stored>
    void attend_response(const OnlineSoftmax& softmax, KVBlock& block, const KVRows<Stored>& rows,
                         int64_t request, int64_t begin, int64_t end) const {
        int64_t group = shape.group();
        int64_t first_position = mask.prompt_tokens();
        if (mask.prompt_positions && mask.prompt_tokens()) {
            int64_t last = request * mask.prompt_positions_batch + mask.prompt_tokens() - 1;
            first_position = mask.prompt_positions[last] + 1;
        }
        for (int64_t beam = 0; beam < shape.w; beam++) {
            const int32_t* beam_index = mask.beam_index;
            if (beam_index)
                beam_index += request * mask.beam_index_batch + beam * mask.beam_index_beam;
            int64_t first_row = beam * group;
            for (int64_t step = begin; step < end; step++) {
                int64_t slot = step * shape.w + (beam_index ? beam_index[step] : beam);
                block.append(rows, slot, shape.d, shape.width(), first_position + step);
                if (block.n == BLOCK_KEYS) softmax.attend(first_row, first_row + group, block);
            }
            softmax.attend(first_row, first_row + group, block);
        }
    }

    // Combines the partial results of all threads for one sequence: out [h * d].
    void reduce_partials(int64_t sequence, float* out) const {
        int64_t request = sequence / shape.w, group = shape.group();
        for (int64_t h = 0; h < shape.h; h++) {
            int64_t pair = request * shape.g + h / group;
            int64_t row = sequence % shape.w * group + h % group;
            reduce_row(pair, row, out + h * shape.d);
        }
    }

    void reduce_row(int64_t pair, int64_t row, float* out) const {
        int first = partition.first_thread(pair), last = partition.last_thread(pair);
        int64_t rows = shape.rows(), width = shape.width();
        float max = -INFINITY, sum = 0;
        auto acc = [&](int thread) { return partials.at(pair, thread); };
        auto row_max = [&](int thread) { return acc(thread)[rows * width + row]; };
        auto is_empty = [&](int thread) {
            return partition.begin(thread) == partition.begin(thread + 1);
        };
        for (int t = first; t <= last; t++)
            if (!is_empty(t) && row_max(t) > max) max = row_max(t);
        for (int64_t i = 0; i < shape.d; i++) out[i] = 0;
        for (int t = first; t <= last; t++) {
            if (is_empty(t)) continue;
            float rescale = std::exp(row_max(t) - max);
            sum += rescale * acc(t)[rows * (width + 1) + row];
            for (int64_t i = 0; i < shape.d; i++) out[i] += rescale * acc(t)[row * width + i];
        }
        for (int64_t i = 0; i < shape.d; i++) out[i] /= sum;
    }
};
