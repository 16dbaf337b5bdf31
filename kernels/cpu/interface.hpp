// Arguments from Python: mirrored by the ctypes structures of structs.py, in the same order.
#pragma once

#include <cstdlib>

#include "attention.hpp"
#include "matrix.hpp"

enum Dtype : int32_t { FLOAT32, FLOAT16, BFLOAT16 };

struct LayerWeights {  // matrices [outputs, inputs]; vectors null where there is none
    Matrix qkv, o, gate_up, down;
    const void *attention_norm, *attention_norm_bias, *qkv_bias, *o_bias;
    const void *mlp_norm, *mlp_norm_bias, *gate_up_bias, *down_bias;
    const void *q_norm, *k_norm, *attention_post_norm, *mlp_post_norm;
    int64_t window, frequency_set;  // window 0: none; frequency_set: a row of `frequencies`
};

// A model: its weights, sizes and options.
struct ModelArgs {
    const LayerWeights* layers;
    Matrix embedding, lm_head;
    const void *norm, *norm_bias, *lm_head_bias;
    const float *frequencies, *slopes;  // [num_frequency_sets, num_pairs], [h]
    int64_t num_layers, hidden_size, intermediate_size, vocab_size;
    int32_t dtype, h, g, d;
    int32_t num_frequency_sets, num_pairs, interleaved, activation;
    int32_t gated;     // `gate_up` holds the rows of the gate, then those it is multiplied with
    int32_t per_head;  // `qkv` holds the rows of q, k and v of one head after the other
    int32_t parallel, post_norms;
    float eps;
};

struct LayerKV {  // scales: null where keys and values are not int8
    void *prompt_k, *prompt_v, *response_k, *response_v;
    float *prompt_k_scale, *prompt_v_scale, *response_k_scale, *response_v_scale;
};

// One decode step: what changes from token to token.
struct StepArgs {
    const LayerKV* layers;
    const void* inputs_embeds;  // [b, w, hidden_size]; null: tokens are looked up in `embedding`
    const int64_t *tokens, *positions;
    float* logits;
    int64_t positions_batch;  // stride; 0 where all requests have the same positions
    int64_t prompt_batch, prompt_head, prompt_token, prompt_scale_batch, prompt_scale_head;
    int64_t response_batch, response_head, response_token;
    int64_t response_scale_batch, response_scale_head;
    AttentionMask mask;
    int32_t b, w, num_threads;
};

// One linear layer with its prologue (norm) and epilogue (bias, activation, residuals).
struct GemvArgs {
    Matrix weight;
    const void *x, *bias, *norm, *norm_bias;
    const void* const* residuals;
    const int64_t* residual_strides;
    void* out;  // [rows, gated ? n / 2 : n]
    int64_t x_stride, k, n;
    int32_t dtype, rows, activation, gated, num_residuals, num_threads;
    float eps;
};

// x W^T + bias + residual in float32 for any number of rows; `bias` and `residual` may be null.
struct MatmulArgs {
    Matrix weight;
    const void *x, *bias, *residual;
    void* out;  // [rows, n]
    int64_t x_stride, residual_stride, rows, k, n;
    int32_t num_threads;
};

// Rows [first, last) of a part in blocks, as a dense matrix.
struct UnpackArgs {
    MatrixPart part;
    void* out;  // [last - first, k]
    int64_t first, last, k;
    int32_t dtype, num_threads;
};

struct SegmentAttentionArgs {
    const void* q;
    void* out;  // [b, w, h * d]
    int64_t q_batch, q_head, q_beam;
    KVSegment prompt, response;
    AttentionMask mask;
    AttentionShape shape;
    int32_t dtype, num_threads;
};

// Memory for intermediate results; it grows, and is kept from token to token.
class Scratch {
    float* memory_ = nullptr;
    int64_t capacity_ = 0;

public:
    Barrier barrier;
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    ~Scratch() { std::free(memory_); }

    bool reserve(int64_t floats) {
        if (floats <= capacity_) return true;
        std::free(memory_);
        capacity_ = 0;
        int64_t bytes = round_up(floats, 16) * sizeof(float);
        memory_ = static_cast<float*>(std::aligned_alloc(64, bytes));
        if (!memory_) return false;
        std::memset(memory_, 0, floats * sizeof(float));
        capacity_ = floats;
        return true;
    }
    float* begin() const { return memory_; }
};

// Divides scratch memory into buffers that begin on cache lines of their own. Every thread has an
// allocator, and all of them compute the same addresses.
struct ScratchAllocator {
    float* next;
    float* allocate(int64_t floats) {
        float* buffer = next;
        next += round_up(floats, 16);
        return buffer;
    }
};
