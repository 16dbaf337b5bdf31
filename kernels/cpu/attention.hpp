// Attention of a few sequences that share a prompt: over the prompt, read once for all of them, and over each one's
// own path through the response. Exact softmax in one pass, all sums in float32.
//
// The keys of all requests and key/value heads form one line; every thread takes an equal stretch of it and leaves a
// partial result for each (request, head) it came by. Whoever needs the whole merges those.
#pragma once

#include "gather.hpp"

// What one thread does of the attention of one layer.
template <class T>
struct Attention {
    Heads n;
    Memory prompt, response;
    Sight sight;
    Fresh<T> fresh;
    Line line;
    Pieces pieces;
    float* scratch;  // of this thread: `floats(n)`

    static int64_t floats(const Heads& n) { return padded(n.rows() * (n.width() + 1) + Block::floats(n.width()), 16); }

    int64_t tokens() const { return sight.tokens(); }
    int64_t steps() const { return sight.steps(); }

    void run(int thread) const {
        int64_t begin = line.begin(thread), end = line.begin(thread + 1);
        for (int64_t pair = begin / line.units; begin < end; pair++) {
            int64_t stop = (pair + 1) * line.units < end ? (pair + 1) * line.units : end;
            int64_t start = pair * line.units - sight.begin();
            piece(pair, thread, begin - start, stop - start);
            begin = stop;
        }
    }

    void piece(int64_t pair, int thread, int64_t from, int64_t to) const {
        int64_t request = pair / n.g, head = pair % n.g, t = tokens();
        Block block(scratch + n.rows() * n.width(), n.width());
        float* slopes = sight.slopes ? block.k + Block::floats(n.width()) : nullptr;
        Gather gather{scratch, slopes, pieces.of(pair, thread), n.width(), n.rows(), sight.softcap};
        gather.start();
        take_queries(request, head, slopes);
        if (from < t) see_prompt(gather, block, request, head, from, to < t ? to : t);
        if (to <= t) return;
        if (to == t + steps() && fresh.k) keep(request, head);
        see_response(gather, block, request, head, (from > t ? from : t) - t, to - t);
    }

    void take_queries(int64_t request, int64_t head, float* slopes) const {
        int group = n.group();
        for (int row = 0; row < n.rows(); row++) {
            int64_t r = request * n.w + row / group, h = head * group + row % group;
            float* q = scratch + row * n.width();
            fresh.ready(fresh.q + r * fresh.row + h * fresh.q_head, fresh.q_norm, n.d, r, q);
            for (int64_t i = 0; i < n.d; i++) q[i] *= sight.scale;
            for (int64_t i = n.d; i < n.width(); i++) q[i] = 0;
            if (slopes) slopes[row] = sight.slopes[h];
        }
    }

    // Write this step's keys and values where they stay; whoever looks at them first does it.
    void keep(int64_t request, int64_t head) const {
        float k[MAX_HEAD];
        for (int j = 0; j < n.w; j++) {
            int64_t r = request * n.w + j, slot = (steps() - 1) * n.w + j;
            int64_t at = request * response.batch + head * response.head + slot * response.token;
            const int64_t from = r * fresh.row + head * fresh.kv_head;
            fresh.ready(fresh.k + from, fresh.k_norm, n.d, r, k);
            narrow(k, n.d, static_cast<T*>(response.k) + at);
            narrow(fresh.v + from, n.d, static_cast<T*>(response.v) + at);
        }
    }

    void see_prompt(const Gather& gather, Block& block, int64_t request, int64_t head, int64_t from, int64_t to) const {
        const int32_t* where = sight.positions ? sight.positions + request * sight.positions_batch : nullptr;
        int64_t at = request * prompt.batch + head * prompt.head;
        const T *k = static_cast<T*>(prompt.k) + at, *v = static_cast<T*>(prompt.v) + at;
        for (int64_t i = from; i < to; i++) {
            if (where && where[i] < 0) continue;
            block.take(k + i * prompt.token, v + i * prompt.token, n.d, n.width(), where ? where[i] : i);
            if (block.n == KEYS) gather.see(0, n.rows(), block);
        }
        gather.see(0, n.rows(), block);
    }

    // Every sequence along its own path: at each step, the slot of its ancestor.
    void see_response(const Gather& gather, Block& block, int64_t request, int64_t head, int64_t from, int64_t to) const {
        int64_t at = request * response.batch + head * response.head, group = n.group();
        int64_t start = sight.positions ? sight.positions[request * sight.positions_batch + tokens() - 1] + 1 : tokens();
        const T *k = static_cast<T*>(response.k) + at, *v = static_cast<T*>(response.v) + at;
        for (int64_t j = 0; j < n.w; j++) {
            const int32_t* path = sight.ancestry;
            if (path) path += request * sight.ancestry_batch + j * sight.ancestry_row;
            for (int64_t step = from; step < to; step++) {
                int64_t slot = (step * n.w + (path ? path[step] : j)) * response.token;
                block.take(k + slot, v + slot, n.d, n.width(), start + step);
                if (block.n == KEYS) gather.see(j * group, (j + 1) * group, block);
            }
            gather.see(j * group, (j + 1) * group, block);
        }
    }

    // What all threads have gathered for one row of the batch: out [h * d].
    void merge(int64_t r, float* out) const {
        int64_t request = r / n.w, group = n.group();
        for (int64_t h = 0; h < n.h; h++) {
            int64_t pair = request * n.g + h / group, row = r % n.w * group + h % group;
            merge_row(pair, row, out + h * n.d);
        }
    }

    void merge_row(int64_t pair, int64_t row, float* out) const {
        int first = line.first(pair), last = line.last(pair);
        float most = -INFINITY, total = 0;
        auto sums = [&](int t) { return pieces.of(pair, t); };
        auto score = [&](int t) { return sums(t)[n.rows() * n.width() + row]; };
        for (int t = first; t <= last; t++)
            if (line.begin(t) < line.begin(t + 1) && score(t) > most) most = score(t);
        for (int64_t i = 0; i < n.d; i++) out[i] = 0;
        for (int t = first; t <= last; t++) {
            if (line.begin(t) == line.begin(t + 1)) continue;
            float factor = std::exp(score(t) - most);
            total += factor * sums(t)[n.rows() * (n.width() + 1) + row];
            for (int64_t i = 0; i < n.d; i++) out[i] += factor * sums(t)[row * n.width() + i];
        }
        for (int64_t i = 0; i < n.d; i++) out[i] /= total;
    }
};
