// A decode step: from one token of each sequence to the logits of the next, in one parallel region.
//
// Weights are read in place, each byte once. Where a GEMV needs all outputs of the one before, a
// barrier stands between them: five in a layer, three where attention and MLP are parallel. Every
// thread computes norms and reduces the partial results of attention for itself, which takes less
// time than sharing the result. So does it with residual sums whose branches have post norms: every
// thread then has a residual stream of its own.
#pragma once

#include "interface.hpp"

constexpr int64_t MAX_PREFETCH = 64 << 10;  // bytes of the next weights, for a waiting thread

struct StepBuffers {  // float32; shared by the threads, but for the last four
    float *branch, *qkv, *gate, *up, *cos, *sin;
    Partials partials;
    float *operand, *arranged, *attention_out, *attention_scratch;
    float* residual;  // shared, in the place of `branch`, where there are no post norms

    static int64_t widest(const ModelArgs& model) {
        int64_t heads = int64_t(model.h) * model.d;
        int64_t widest = model.hidden_size > model.intermediate_size ? model.hidden_size
                                                                     : model.intermediate_size;
        return widest > heads ? widest : heads;
    }
    static int64_t private_floats(const ModelArgs& model, const AttentionShape& shape) {
        int64_t rows = shape.b * shape.w;
        int64_t operand = rows * (round_up(widest(model)) + arranged_floats(widest(model)));
        int64_t attention =
            round_up(rows * model.h * model.d, 16) + Attention<float>::floats(shape);
        int64_t residual = model.post_norms ? round_up(rows * model.hidden_size, 16) : 0;
        return operand + attention + residual + 64;
    }
    static int64_t partial_floats(const AttentionShape& shape, int num_threads) {
        return (shape.b * shape.g + num_threads) * Partials::floats(shape);
    }
    static int64_t floats(const ModelArgs& model, const AttentionShape& shape, int num_threads) {
        int64_t rows = shape.b * shape.w, qkv = (model.h + 2 * model.g) * model.d;
        int64_t angles = model.num_frequency_sets * model.num_pairs;
        int64_t row = model.hidden_size + qkv + 2 * model.intermediate_size + 2 * angles;
        int64_t shared = rows * row + 6 * 16;
        return shared + partial_floats(shape, num_threads) +
               num_threads * private_floats(model, shape);
    }
    StepBuffers(ScratchAllocator allocator, const ModelArgs& model, const AttentionShape& shape,
                int num_threads, int thread) {
        int64_t rows = shape.b * shape.w;
        int64_t angles = rows * model.num_frequency_sets * model.num_pairs;
        branch = allocator.allocate(rows * model.hidden_size);
        qkv = allocator.allocate(rows * (model.h + 2 * model.g) * model.d);
        gate = allocator.allocate(rows * model.intermediate_size);
        up = allocator.allocate(rows * model.intermediate_size);
        cos = allocator.allocate(angles);
        sin = allocator.allocate(angles);
        partials.memory = allocator.allocate(partial_floats(shape, num_threads));
        partials.size = Partials::floats(shape);
        int64_t thread_floats = private_floats(model, shape);
        operand = allocator.allocate(num_threads * thread_floats) + thread * thread_floats;
        arranged = operand + rows * round_up(widest(model));
        attention_out = arranged + rows * arranged_floats(widest(model));
        attention_scratch = attention_out + round_up(rows * model.h * model.d, 16);
        residual = model.post_norms ? attention_scratch + Attention<float>::floats(shape) : branch;
    }
};

template <class T>
class DecodeStep {
    const ModelArgs& model;
    const StepArgs& args;
    AttentionShape shape;
    int rows, thread, num_threads;
    Barrier& barrier;
    StepBuffers buffers;
    Prefetcher prefetcher;
    Activations<T> activations;

    const T* typed(const void* p) const { return static_cast<const T*>(p); }
    IndexRange own_range(int64_t outputs) const {
        return thread_range(outputs, thread, num_threads);
    }

    // Names the weights that this thread reads after the next barrier.
    void prefetch_next(const Matrix& weights, int64_t outputs) {
        prefetcher = {};
        for_parts(weights, own_range(outputs), [&](const MatrixPart& part, int64_t, IndexRange rows) {
            int64_t bytes = rows.size() * part.row_bytes;
            if (!prefetcher.next) prefetcher = Prefetcher(part.row(rows.begin), bytes, MAX_PREFETCH);
        });
    }
    void synchronize() { barrier.wait(num_threads, prefetcher); }

    // `activations` times the rows of `weight` from `first_row` on.
    void gemv_bias(const Matrix& weight, const void* bias, IndexRange range, float* out,
                   int64_t out_stride, int64_t first_row = 0) {
        gemv(weight, first_row, range, activations, out, out_stride);
        for (int i = 0; bias && i < rows; i++)
            add_bias(out + i * out_stride, typed(bias) + first_row, range.begin, range.end);
    }

    void gemv_add_residual(const Matrix& weight, const void* bias) {
        constexpr int64_t chunk = 64;
        float out[MAX_ROWS * chunk];
        IndexRange range = own_range(model.hidden_size);
        for (int64_t first = range.begin; first < range.end; first += chunk) {
            int64_t count = range.end - first < chunk ? range.end - first : chunk;
            gemv(weight, first, {0, count}, activations, out, chunk);
            for (int i = 0; i < rows; i++) {
                if (bias) add_bias(out + i * chunk, typed(bias) + first, 0, count);
                float* residual = buffers.residual + i * model.hidden_size + first;
                for (int64_t j = 0; j < count; j++) residual[j] += out[i * chunk + j];
            }
        }
    }

    // The output projection of a branch: added to the residual stream, or stored for
    // `add_post_normed_branch`.
    void project_branch(const Matrix& weight, const void* bias) {
        if (model.post_norms)
            gemv_bias(weight, bias, own_range(model.hidden_size), buffers.branch,
                      model.hidden_size);
        else
            gemv_add_residual(weight, bias);
    }

    // Adds whole rows to this thread's own residual stream.
    void add_post_normed_branch(const void* weight) {
        Norm<T> norm{typed(weight), nullptr, model.eps};
        for (int i = 0; model.post_norms && i < rows; i++) {
            float *residual = buffers.residual + i * model.hidden_size, *normed = buffers.operand;
            norm_row(buffers.branch + i * model.hidden_size, model.hidden_size, norm, normed);
            add_bias(residual, normed, 0, model.hidden_size);
        }
    }

    void norm_residual(const void* weight, const void* bias) {
        prefetcher.fetch(32);  // arrives while the norm is computed
        Norm<T> norm{typed(weight), typed(bias), model.eps};
        activations.assign(buffers.residual, model.hidden_size, model.hidden_size, rows, norm);
    }

    void embed() {
        int64_t m = model.hidden_size;
        IndexRange range = model.post_norms ? IndexRange{0, m} : own_range(m);
        for (int i = 0; i < rows; i++) {
            float* out = buffers.residual + i * m + range.begin;
            if (args.inputs_embeds)
                to_float32(typed(args.inputs_embeds) + i * m + range.begin, range.size(), out);
            else
                lookup<T>(model.embedding, args.tokens[i], range, out);
        }
    }

    void compute_rope_tables() {
        IndexRange range = thread_range(rows, thread, num_threads, 1);
        int64_t angles = model.num_frequency_sets * model.num_pairs;
        for (int64_t i = range.begin; i < range.end; i++) {
            float position = args.positions[i / shape.w * args.positions_batch + i % shape.w];
            for (int64_t j = 0; j < angles; j++) {
                buffers.cos[i * angles + j] = std::cos(position * model.frequencies[j]);
                buffers.sin[i * angles + j] = std::sin(position * model.frequencies[j]);
            }
        }
    }

    NewQKV<T> new_qkv(const LayerWeights& layer, const RotaryEmbedding& rope) const {
        int64_t d = model.d;
        int64_t k = model.per_head ? d : model.h * d;
        int64_t v = model.per_head ? 2 * d : (model.h + model.g) * d;
        int64_t row_stride = (model.h + 2 * model.g) * d, head = model.per_head ? 3 * d : d;
        Norm<T> q_norm{typed(layer.q_norm), nullptr, model.eps};
        Norm<T> k_norm{typed(layer.k_norm), nullptr, model.eps};
        return {buffers.qkv,
                buffers.qkv + k,
                buffers.qkv + v,
                row_stride,
                head,
                head,
                model.num_pairs ? &rope : nullptr,
                q_norm,
                k_norm};
    }

    void attend(const LayerWeights& layer, const LayerKV& kv) {
        int64_t first_angle = layer.frequency_set * model.num_pairs;
        int64_t row_stride = model.num_frequency_sets * model.num_pairs;
        RotaryEmbedding rope{buffers.cos + first_angle, buffers.sin + first_angle, row_stride,
                             model.num_pairs, model.interleaved != 0};
        KVSegment prompt{kv.prompt_k,
                         kv.prompt_v,
                         kv.prompt_k_scale,
                         kv.prompt_v_scale,
                         args.prompt_batch,
                         args.prompt_head,
                         args.prompt_token,
                         args.prompt_scale_batch,
                         args.prompt_scale_head};
        KVSegment response{kv.response_k,
                           kv.response_v,
                           kv.response_k_scale,
                           kv.response_v_scale,
                           args.response_batch,
                           args.response_head,
                           args.response_token,
                           args.response_scale_batch,
                           args.response_scale_head};
        AttentionMask mask = args.mask;
        mask.window = layer.window;
        KeyPartition partition(mask, shape, num_threads);
        Attention<T> attention{shape,
                               prompt,
                               response,
                               mask,
                               new_qkv(layer, rope),
                               partition,
                               buffers.partials,
                               buffers.attention_scratch};
        attention.run(thread);
        synchronize();
        prefetcher.fetch(32);
        for (int r = 0; r < rows; r++)
            attention.reduce_partials(r, buffers.attention_out + r * model.h * model.d);
    }

    void decode_layer(const LayerWeights& layer, const LayerKV& kv) {
        int64_t heads = int64_t(model.h) * model.d, qkv = heads + 2 * model.g * model.d;
        int64_t hidden = model.hidden_size, intermediate = model.intermediate_size;
        norm_residual(layer.attention_norm, layer.attention_norm_bias);
        gemv_bias(layer.qkv, layer.qkv_bias, own_range(qkv), buffers.qkv, qkv);
        if (model.parallel) {
            prefetch_next(layer.gate_up, intermediate);
            gate_and_up(layer);
        }
        prefetch_next(layer.o, hidden);
        synchronize();
        attend(layer, kv);
        activations.assign(buffers.attention_out, heads, heads, rows, Norm<T>{});
        project_branch(layer.o, layer.o_bias);
        if (!model.parallel) {
            prefetch_next(layer.gate_up, intermediate);
            synchronize();
            add_post_normed_branch(layer.attention_post_norm);
            gate_and_up(layer);
        }
        prefetch_next(layer.down, hidden);
        if (!model.parallel) synchronize();
        prefetcher.fetch(32);
        activations.assign(buffers.gate, intermediate, intermediate, rows, Norm<T>{});
        project_branch(layer.down, layer.down_bias);
    }

    // The first half of the MLP: activation(gate) * up, or activation(up) where it is not gated.
    void gate_and_up(const LayerWeights& layer) {
        int64_t intermediate = model.intermediate_size;
        IndexRange range = own_range(intermediate);
        bool already_normed = model.parallel && layer.mlp_norm == layer.attention_norm &&
                              layer.mlp_norm_bias == layer.attention_norm_bias;
        if (!already_normed) norm_residual(layer.mlp_norm, layer.mlp_norm_bias);
        gemv_bias(layer.gate_up, layer.gate_up_bias, range, buffers.gate, intermediate);
        if (model.gated)
            gemv_bias(layer.gate_up, layer.gate_up_bias, range, buffers.up, intermediate,
                      intermediate);
        for (int i = 0; i < rows; i++) {
            float* up = model.gated ? buffers.up + i * intermediate : nullptr;
            activate(buffers.gate + i * intermediate, up, model.activation, range.begin, range.end);
        }
    }

public:
    DecodeStep(const ModelArgs& model, const StepArgs& args, Scratch& scratch, AttentionShape shape,
               int num_threads, int thread)
        : model(model),
          args(args),
          shape(shape),
          rows(shape.b * shape.w),
          thread(thread),
          num_threads(num_threads),
          barrier(scratch.barrier),
          buffers(ScratchAllocator{scratch.begin()}, model, shape, num_threads, thread),
          activations(reinterpret_cast<Operand<T>*>(buffers.operand), buffers.arranged) {}

    void run() {
        int64_t qkv = (model.h + 2 * model.g) * model.d;
        embed();
        compute_rope_tables();
        prefetch_next(model.layers[0].qkv, qkv);
        synchronize();
        for (int64_t i = 0; i < model.num_layers; i++) {
            decode_layer(model.layers[i], args.layers[i]);
            if (i + 1 < model.num_layers)
                prefetch_next(model.layers[i + 1].qkv, qkv);
            else
                prefetch_next(model.lm_head, model.vocab_size);
            synchronize();
            add_post_normed_branch(model.layers[i].mlp_post_norm);
        }
        norm_residual(model.norm, model.norm_bias);
        gemv_bias(model.lm_head, model.lm_head_bias, own_range(model.vocab_size), args.logits,
                  model.vocab_size);
    }
};
