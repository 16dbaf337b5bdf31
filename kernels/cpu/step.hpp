// A decode step: from one token of each sequence to the logits of what follows, in one parallel region.
//
// Weights are read in place, each byte once. Between two products whose inputs need all outputs of the one before
// stands a barrier: five in a layer, three where attention and feed-forward are parallel. Norms, and the merging of
// attention, are done by every thread for itself, which takes less time than handing the result over. So are sums of
// residuals that are normalised before they are added: every thread then has a residual stream of its own.
#pragma once

#include "interface.hpp"

constexpr int64_t AHEAD = 64 << 10;  // bytes of the next weights that a waiting thread asks for

struct Buffers {  // float32; shared by the threads, but for the last four
    float *branch, *qkv, *inner, *up, *cosine, *sine;
    Pieces pieces;
    float *operand, *merged, *scratch;
    float* x;  // the residual stream; shared, in the place of `branch`, where there are no norms behind branches

    static int64_t widest(const Model& m) {
        int64_t heads = int64_t(m.h) * m.d, most = m.hidden > m.inner ? m.hidden : m.inner;
        return most > heads ? most : heads;
    }
    static int64_t private_floats(const Model& m, const Heads& n) {
        int64_t rows = n.b * n.w;
        int64_t stream = m.post_norms ? padded(rows * m.hidden, 16) : 0;
        return rows * padded(widest(m)) + padded(rows * m.h * m.d, 16) + Attention<float>::floats(n) + stream + 64;
    }
    static int64_t piece_floats(const Heads& n, int threads) { return (n.b * n.g + threads) * Pieces::floats(n); }
    static int64_t floats(const Model& m, const Heads& n, int threads) {
        int64_t rows = n.b * n.w, qkv = (m.h + 2 * m.g) * m.d;
        int64_t shared = rows * (m.hidden + qkv + 2 * m.inner + 2 * m.kinds * m.pairs) + 6 * 16;
        return shared + piece_floats(n, threads) + threads * private_floats(m, n);
    }
    Buffers(Parts space, const Model& m, const Heads& n, int threads, int thread) {
        int64_t rows = n.b * n.w, angles = rows * m.kinds * m.pairs;
        branch = space.take(rows * m.hidden), qkv = space.take(rows * (m.h + 2 * m.g) * m.d);
        inner = space.take(rows * m.inner), up = space.take(rows * m.inner);
        cosine = space.take(angles), sine = space.take(angles);
        pieces = {space.take(piece_floats(n, threads)), Pieces::floats(n)};
        operand = space.take(threads * private_floats(m, n)) + thread * private_floats(m, n);
        merged = operand + rows * padded(widest(m)), scratch = merged + padded(rows * m.h * m.d, 16);
        x = m.post_norms ? scratch + Attention<float>::floats(n) : branch;
    }
};

template <class T>
class DecodeStep {
    const Model& m;
    const Call& c;
    Heads n;
    int rows, thread, threads;
    Barrier& barrier;
    Buffers a;
    Ahead ahead;

    const T* at(const void* p) const { return static_cast<const T*>(p); }
    Operand<T>* operand() const { return reinterpret_cast<Operand<T>*>(a.operand); }
    Range mine(int64_t outputs) const { return share(outputs, thread, threads); }

    // Weights that this thread will read next.
    void expect(const void* weights, int64_t k, int64_t outputs) {
        Range r = mine(outputs);
        ahead = Ahead(at(weights) + r.from * k, (r.to - r.from) * k * sizeof(T), AHEAD);
    }
    void meet() { barrier.wait(threads, ahead); }

    void multiply(const void* w, const void* bias, int64_t k, Range r, float* out, int64_t stride, int64_t first = 0) {
        product(at(w) + first * k, k, r.from, r.to, rows, operand(), padded(k), out, stride);
        for (int i = 0; bias && i < rows; i++) add_bias(out + i * stride, at(bias) + first, r.from, r.to);
    }

    void multiply_and_add(const void* w, const void* bias, int64_t k) {  // to the residual stream
        constexpr int64_t some = 64;
        float out[MAX_ROWS * some];
        Range r = mine(m.hidden);
        for (int64_t from = r.from; from < r.to; from += some) {
            int64_t count = r.to - from < some ? r.to - from : some;
            product(at(w) + from * k, k, 0, count, rows, operand(), padded(k), out, some);
            for (int i = 0; i < rows; i++) {
                if (bias) add_bias(out + i * some, at(bias) + from, 0, count);
                for (int64_t j = 0; j < count; j++) a.x[i * m.hidden + from + j] += out[i * some + j];
            }
        }
    }

    // The last product of a branch: added to the residual stream, or left for `add_branch`.
    void finish(const void* w, const void* bias, int64_t k) {
        if (m.post_norms) multiply(w, bias, k, mine(m.hidden), a.branch, m.hidden);
        else multiply_and_add(w, bias, k);
    }

    // To the whole of this thread's own residual stream.
    void add_branch(const void* norm) {
        for (int i = 0; m.post_norms && i < rows; i++) {
            float *x = a.x + i * m.hidden, *normed = a.operand;
            prepare_row(a.branch + i * m.hidden, m.hidden, Norm<T>{at(norm), nullptr, m.eps}, normed);
            add_bias(x, normed, 0, m.hidden);
        }
    }

    void normalise(const void* weight, const void* bias) {
        ahead.fetch(32);  // what is asked for now arrives while this is computed
        prepare(a.x, m.hidden, m.hidden, rows, Norm<T>{at(weight), at(bias), m.eps}, operand());
    }

    void embed() {
        Range r = m.post_norms ? Range{0, m.hidden} : mine(m.hidden), angles = share(rows, thread, threads, 1);
        int64_t all = m.kinds * m.pairs;
        for (int i = 0; i < rows; i++) {
            const T* x = c.embedded ? at(c.embedded) + i * m.hidden : at(m.embedding) + c.tokens[i] * m.hidden;
            widen(x + r.from, r.to - r.from, a.x + i * m.hidden + r.from);
        }
        for (int64_t i = angles.from; i < angles.to; i++) {
            float position = c.positions[i / n.w * c.positions_batch + i % n.w];
            for (int64_t j = 0; j < all; j++) {
                a.cosine[i * all + j] = std::cos(position * m.frequencies[j]);
                a.sine[i * all + j] = std::sin(position * m.frequencies[j]);
            }
        }
    }

    Fresh<T> fresh(const LayerWeights& l, const Rotary& rotary) const {
        int64_t k = m.per_head ? m.d : m.h * m.d, v = m.per_head ? 2 * m.d : (m.h + m.g) * m.d;
        int64_t row = (m.h + 2 * m.g) * m.d, head = m.per_head ? 3 * m.d : m.d;
        Norm<T> q_norm{at(l.q_norm), nullptr, m.eps}, k_norm{at(l.k_norm), nullptr, m.eps};
        return {a.qkv, a.qkv + k, a.qkv + v, row, head, head, m.pairs ? &rotary : nullptr, q_norm, k_norm};
    }

    void attend(const LayerWeights& l, const LayerMemory& memory) {
        int64_t kind = l.kind * m.pairs;
        Rotary rotary{a.cosine + kind, a.sine + kind, m.kinds * m.pairs, m.pairs, m.interleaved != 0};
        Sight sight = c.sight;
        sight.window = l.window;
        Attention<T> attention{
            n,
            {memory.prompt_k, memory.prompt_v, c.prompt_batch, c.prompt_head, c.prompt_token},
            {memory.response_k, memory.response_v, c.response_batch, c.response_head, c.response_token},
            sight,
            fresh(l, rotary),
            Line(sight, n, threads),
            a.pieces,
            a.scratch};
        attention.run(thread);
        meet();
        ahead.fetch(32);
        for (int r = 0; r < rows; r++) attention.merge(r, a.merged + r * m.h * m.d);
    }

    void layer(const LayerWeights& l, const LayerMemory& memory) {
        int64_t heads = int64_t(m.h) * m.d, qkv = heads + 2 * m.g * m.d, k = m.hidden;
        normalise(l.attention_norm, l.attention_norm_bias);
        multiply(l.qkv, l.qkv_bias, k, mine(qkv), a.qkv, qkv);
        if (m.parallel) expect(l.up, k, m.inner), feed_forward(l);
        expect(l.o, heads, k);
        meet();
        attend(l, memory);
        prepare(a.merged, heads, heads, rows, Norm<T>{}, operand());
        finish(l.o, l.o_bias, heads);
        if (!m.parallel) {
            expect(l.up, k, m.inner);
            meet();
            add_branch(l.attention_post_norm);
            feed_forward(l);
        }
        expect(l.down, m.inner, k);
        if (!m.parallel) meet();
        ahead.fetch(32);
        prepare(a.inner, m.inner, m.inner, rows, Norm<T>{}, operand());
        finish(l.down, l.down_bias, m.inner);
    }

    void feed_forward(const LayerWeights& l) {
        Range r = mine(m.inner);
        bool ready = m.parallel && l.mlp_norm == l.attention_norm && l.mlp_norm_bias == l.attention_norm_bias;
        if (!ready) normalise(l.mlp_norm, l.mlp_norm_bias);
        multiply(l.up, l.up_bias, m.hidden, r, a.inner, m.inner);
        if (m.gated) multiply(l.up, l.up_bias, m.hidden, r, a.up, m.inner, m.inner);
        for (int i = 0; i < rows; i++)
            activate(a.inner + i * m.inner, m.gated ? a.up + i * m.inner : nullptr, m.activation, r.from, r.to);
    }

public:
    DecodeStep(const Model& model, const Call& call, Workspace& space, Heads heads, int threads, int thread)
        : m(model), c(call), n(heads), rows(heads.b * heads.w), thread(thread), threads(threads),
          barrier(space.barrier), a(Parts{space.begin()}, model, heads, threads, thread) {}

    void run() {
        int64_t qkv = (m.h + 2 * m.g) * m.d;
        embed();
        expect(m.layers[0].qkv, m.hidden, qkv);
        meet();
        for (int64_t i = 0; i < m.layer_count; i++) {
            layer(m.layers[i], c.layers[i]);
            bool last = i + 1 == m.layer_count;
            expect(last ? m.head : m.layers[i + 1].qkv, m.hidden, last ? m.vocabulary : qkv);
            meet();
            add_branch(m.layers[i].mlp_post_norm);
        }
        normalise(m.norm, m.norm_bias);
        multiply(m.head, m.head_bias, m.hidden, mine(m.vocabulary), c.logits, m.vocabulary);
    }
};
