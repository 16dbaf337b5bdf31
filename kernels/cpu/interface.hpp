// What Python passes: mirrored by the ctypes structures of structs.py, in the same order.
#pragma once

#include <cstdlib>

#include "attention.hpp"

enum Format : int32_t { FLOAT32, FLOAT16, BFLOAT16 };

struct LayerWeights {  // matrices [outputs, inputs], contiguous; null where there is none
    const void *attention_norm, *attention_norm_bias, *qkv, *qkv_bias, *o, *o_bias;
    const void *mlp_norm, *mlp_norm_bias, *up, *up_bias, *down, *down_bias;
    const void *q_norm, *k_norm, *attention_post_norm, *mlp_post_norm;
    int64_t window, kind;  // 0: all is seen; the row of frequencies
};

struct Model {
    const LayerWeights* layers;
    const void *embedding, *norm, *norm_bias, *head, *head_bias;
    const float *frequencies, *slopes;  // [kinds, pairs], [h]
    int64_t layer_count, hidden, inner, vocabulary;
    int32_t format, h, g, d;
    int32_t kinds, pairs, interleaved, activation;
    int32_t gated;     // `up` holds the gate's rows, then as many to multiply with
    int32_t per_head;  // `qkv` holds the rows of q, k and v of one head after the other
    int32_t parallel, post_norms;
    float eps;
};

struct LayerMemory {
    void *prompt_k, *prompt_v, *response_k, *response_v;
};

struct Call {
    const LayerMemory* layers;
    const void* embedded;  // [b, w, hidden]; null: tokens are looked up
    const int64_t *tokens, *positions;
    float* logits;
    int64_t positions_batch;  // elements from request to request; 0 where they share positions
    int64_t prompt_batch, prompt_head, prompt_token, response_batch, response_head, response_token;
    Sight sight;
    int32_t b, w, threads;
};

// One linear layer and what rides on it.
struct Product {
    const void *x, *weight, *bias, *norm, *norm_bias;
    const void* const* residuals;
    const int64_t* residual_strides;
    void* out;  // [rows, gated ? n / 2 : n]
    int64_t x_stride, k, n;
    int32_t format, rows, activation, gated, residual_count, threads;
    float eps;
};

struct SegmentAttention {
    const void* q;
    void* out;  // [b, w, h * d]
    int64_t q_batch, q_head, q_row;
    Memory prompt, response;
    Sight sight;
    Heads heads;
    int32_t format, threads;
};

// Memory for what is computed on the way; grows, and is kept from token to token.
class Workspace {
    float* memory_ = nullptr;
    int64_t floats_ = 0;

public:
    Barrier barrier;
    Workspace() = default;
    Workspace(const Workspace&) = delete;
    ~Workspace() { std::free(memory_); }

    bool reserve(int64_t floats) {
        if (floats <= floats_) return true;
        std::free(memory_);
        floats_ = 0;
        memory_ = static_cast<float*>(std::aligned_alloc(64, padded(floats, 16) * sizeof(float)));
        if (!memory_) return false;
        std::memset(memory_, 0, floats * sizeof(float));
        floats_ = floats;
        return true;
    }
    float* begin() const { return memory_; }
};

// Hands out parts of a workspace, each on cache lines of its own; every thread has one, and finds the same places.
struct Parts {
    float* next;
    float* take(int64_t floats) {
        float* at = next;
        next += padded(floats, 16);
        return at;
    }
};
