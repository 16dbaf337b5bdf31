// Single operations, callable without the decode step; arguments as in tinyllm.check.references.
#pragma once

#include <vector>

#include "interface.hpp"

// One thread's outputs of a linear layer.
template <class T>
void linear(const GemvArgs& args, int thread, int num_threads) {
    const T* x = static_cast<const T*>(args.x);
    const T* bias = static_cast<const T*>(args.bias);
    int64_t outputs = args.gated ? args.n / 2 : args.n;
    IndexRange range = thread_range(outputs, thread, num_threads);
    int64_t width = range.size();
    std::vector<float> rows(args.rows * args.k), out(2 * args.rows * width);
    std::vector<Operand<T>> operand(args.rows * round_up(args.k));
    std::vector<float> arranged(args.rows * arranged_floats(args.k));
    Activations<T> activations(operand.data(), arranged.data());
    Norm<T> norm{static_cast<const T*>(args.norm), static_cast<const T*>(args.norm_bias), args.eps};
    for (int i = 0; i < args.rows; i++)
        to_float32(x + i * args.x_stride, args.k, rows.data() + i * args.k);
    activations.assign(rows.data(), args.k, args.k, args.rows, norm);
    for (int half = 0; half <= args.gated; half++) {
        int64_t first = range.begin + half * outputs;
        float* half_out = out.data() + half * args.rows * width;
        gemv(args.weight, first, {0, width}, activations, half_out, width);
        for (int i = 0; bias && i < args.rows; i++)
            add_bias(half_out + i * width, bias + first, 0, width);
    }
    for (int i = 0; i < args.rows; i++) {
        float* row = out.data() + i * width;
        float* up = args.gated ? row + args.rows * width : nullptr;
        if (args.activation || up) activate(row, up, args.activation, 0, width);
        for (int j = 0; j < args.num_residuals; j++) {
            const T* residual = static_cast<const T*>(args.residuals[j]);
            add_bias(row, residual + i * args.residual_strides[j] + range.begin, 0, width);
        }
        from_float32(row, width, static_cast<T*>(args.out) + i * outputs + range.begin);
    }
}

// One thread's rows of `unpack`.
template <class T>
void unpack(const UnpackArgs& args, int thread, int num_threads) {
    IndexRange range = thread_range(args.last - args.first, thread, num_threads, 1);
    for (int64_t i = range.begin; i < range.end; i++)
        with_format(args.part.format, [&](auto format) {
            unpack_row<decltype(format)>(args.part.row(args.first + i), args.k,
                                         static_cast<T*>(args.out) + i * args.k);
        });
}

// The scratch memory of `segment_attention`.
inline int64_t attention_floats(const AttentionShape& shape, int num_threads) {
    int64_t queries = round_up(int64_t(shape.b) * shape.w * shape.h * shape.d, 16);
    int64_t partials = (shape.b * shape.g + num_threads) * Partials::floats(shape);
    return 2 * queries + partials + num_threads * (Attention<float>::floats(shape) + 16) + 64;
}

// One thread's part of attention.
template <class T>
void segment_attention(const SegmentAttentionArgs& args, Scratch& scratch, int thread,
                       int num_threads) {
    const AttentionShape& shape = args.shape;
    int64_t rows = int64_t(shape.b) * shape.w, width = int64_t(shape.h) * shape.d;
    ScratchAllocator allocator{scratch.begin()};
    float* q = allocator.allocate(rows * width);
    float* out = allocator.allocate(rows * width);
    int64_t partial_floats = (shape.b * shape.g + num_threads) * Partials::floats(shape);
    Partials partials{allocator.allocate(partial_floats), Partials::floats(shape)};
    int64_t thread_floats = Attention<T>::floats(shape);
    float* thread_scratch =
        allocator.allocate(num_threads * thread_floats) + thread * thread_floats;

    IndexRange range = thread_range(rows, thread, num_threads, 1);
    for (int64_t row = range.begin; row < range.end; row++)
        for (int64_t h = 0; h < shape.h; h++) {
            int64_t request = row / shape.w, beam = row % shape.w;
            int64_t offset = request * args.q_batch + h * args.q_head + beam * args.q_beam;
            to_float32(static_cast<const T*>(args.q) + offset, shape.d,
                       q + row * width + h * shape.d);
        }
    Prefetcher nothing;
    scratch.barrier.wait(num_threads, nothing);

    NewQKV<T> new_qkv{q, nullptr, nullptr, width, shape.d};
    KeyPartition partition(args.mask, shape, num_threads);
    Attention<T> attention{shape,   args.prompt, args.response, args.mask,
                           new_qkv, partition,   partials,      thread_scratch};
    attention.run(thread);
    scratch.barrier.wait(num_threads, nothing);
    for (int64_t row = range.begin; row < range.end; row++) {
        attention.reduce_partials(row, out + row * width);
        from_float32(out + row * width, width, static_cast<T*>(args.out) + row * width);
    }
}
