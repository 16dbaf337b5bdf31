// Single operations, for whoever wants one without the step around it; arguments as in tinyllm.check.references.
#pragma once

#include <vector>

#include "interface.hpp"

// One thread's outputs of a linear layer.
template <class T>
void linear(const Product& p, int thread, int threads) {
    const T *x = static_cast<const T*>(p.x), *w = static_cast<const T*>(p.weight), *bias = static_cast<const T*>(p.bias);
    int64_t outputs = p.gated ? p.n / 2 : p.n;
    Range r = share(outputs, thread, threads);
    int64_t mine = r.to - r.from;
    std::vector<float> wide(p.k), out(2 * p.rows * mine);
    std::vector<Operand<T>> operand(p.rows * padded(p.k));
    Norm<T> norm{static_cast<const T*>(p.norm), static_cast<const T*>(p.norm_bias), p.eps};
    for (int i = 0; i < p.rows; i++) {
        widen(x + i * p.x_stride, p.k, wide.data());
        prepare_row(wide.data(), p.k, norm, operand.data() + i * padded(p.k));
    }
    for (int half = 0; half <= p.gated; half++) {
        int64_t first = r.from + half * outputs;
        float* to = out.data() + half * p.rows * mine;
        product(w + first * p.k, p.k, 0, mine, p.rows, operand.data(), padded(p.k), to, mine);
        for (int i = 0; bias && i < p.rows; i++) add_bias(to + i * mine, bias + first, 0, mine);
    }
    for (int i = 0; i < p.rows; i++) {
        float *row = out.data() + i * mine, *up = p.gated ? row + p.rows * mine : nullptr;
        if (p.activation || up) activate(row, up, p.activation, 0, mine);
        for (int j = 0; j < p.residual_count; j++)
            add_bias(row, static_cast<const T*>(p.residuals[j]) + i * p.residual_strides[j] + r.from, 0, mine);
        narrow(row, mine, static_cast<T*>(p.out) + i * outputs + r.from);
    }
}

// One thread's part of attention; `space` has room for `attention_floats`.
inline int64_t attention_floats(const Heads& n, int threads) {
    int64_t queries = padded(int64_t(n.b) * n.w * n.h * n.d, 16);
    return 2 * queries + (n.b * n.g + threads) * Pieces::floats(n) + threads * (Attention<float>::floats(n) + 16) + 64;
}

template <class T>
void segment_attention(const SegmentAttention& p, Workspace& space, int thread, int threads) {
    const Heads& n = p.heads;
    int64_t rows = int64_t(n.b) * n.w, width = int64_t(n.h) * n.d;
    Parts parts{space.begin()};
    float *q = parts.take(rows * width), *out = parts.take(rows * width);
    Pieces pieces{parts.take((n.b * n.g + threads) * Pieces::floats(n)), Pieces::floats(n)};
    float* scratch = parts.take(threads * Attention<T>::floats(n)) + thread * Attention<T>::floats(n);
    Range mine = share(rows, thread, threads, 1);
    for (int64_t r = mine.from; r < mine.to; r++)
        for (int64_t h = 0; h < n.h; h++)
            widen(static_cast<const T*>(p.q) + r / n.w * p.q_batch + h * p.q_head + r % n.w * p.q_row, n.d,
                  q + r * width + h * n.d);
    Ahead nothing;
    space.barrier.wait(threads, nothing);
    Fresh<T> fresh{q, nullptr, nullptr, width, n.d};
    Attention<T> attention{n, p.prompt, p.response, p.sight, fresh, Line(p.sight, n, threads), pieces, scratch};
    attention.run(thread);
    space.barrier.wait(threads, nothing);
    for (int64_t r = mine.from; r < mine.to; r++) {
        attention.merge(r, out + r * width);
        narrow(out + r * width, width, static_cast<T*>(p.out) + r * width);
    }
}
