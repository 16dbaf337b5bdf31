// The functions that Python calls. Each is one parallel region; nothing here throws.
#include <new>

#include "kernels.hpp"
#include "matmul.hpp"
#include "step.hpp"

namespace {

enum Status { DONE, NO_MEMORY, BAD_TOKEN, BAD_BEAM_INDEX };  // as in structs.py

// Calls `work(T{})` with the C++ type of a dtype.
template <class Work>
void with_dtype(int32_t dtype, Work work) {
    if (dtype == FLOAT32) work(float{});
    if (dtype == FLOAT16) work(fp16{});
    if (dtype == BFLOAT16) work(bf16{});
}

// Within another parallel region there is one thread, whatever the argument.
template <class Work>
void in_parallel(int num_threads, Work work) {
#pragma omp parallel num_threads(num_threads)
    work(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace

extern "C" {

Scratch* tinyllm_new_scratch() { return new (std::nothrow) Scratch; }

void tinyllm_free_scratch(Scratch* scratch) { delete scratch; }

int tinyllm_lanes() { return LANES; }

int tinyllm_max_rows() { return MAX_ROWS; }

int tinyllm_step(const ModelArgs* model, const StepArgs* args, Scratch* scratch) {
    for (int i = 0; !args->inputs_embeds && i < args->b * args->w; i++)
        if (args->tokens[i] < 0 || args->tokens[i] >= model->vocab_size) return BAD_TOKEN;
    AttentionShape shape{args->b, args->w, model->h, model->g, model->d};
    if (!names_slots(args->mask, shape)) return BAD_BEAM_INDEX;
    int64_t floats = StepBuffers::floats(*model, shape, args->num_threads);
    if (!scratch->reserve(floats)) return NO_MEMORY;
    with_dtype(model->dtype, [&](auto dtype) {
        in_parallel(args->num_threads, [&](int thread, int num_threads) {
            DecodeStep<decltype(dtype)>(*model, *args, *scratch, shape, num_threads, thread).run();
        });
    });
    return DONE;
}

void tinyllm_linear(const GemvArgs* args) {
    with_dtype(args->dtype, [&](auto dtype) {
        in_parallel(args->num_threads, [&](int thread, int num_threads) {
            linear<decltype(dtype)>(*args, thread, num_threads);
        });
    });
}

int tinyllm_matmul(const MatmulArgs* args, Scratch* scratch) {
    if (!scratch->reserve(matmul_floats(*args))) return NO_MEMORY;
    in_parallel(args->num_threads, [&](int thread, int num_threads) {
        matmul(*args, *scratch, thread, num_threads);
    });
    return DONE;
}

void tinyllm_unpack(const UnpackArgs* args) {
    with_dtype(args->dtype, [&](auto dtype) {
        in_parallel(args->num_threads, [&](int thread, int num_threads) {
            unpack<decltype(dtype)>(*args, thread, num_threads);
        });
    });
}

int tinyllm_segment_attention(const SegmentAttentionArgs* args, Scratch* scratch) {
    if (!names_slots(args->mask, args->shape)) return BAD_BEAM_INDEX;
    if (!scratch->reserve(attention_floats(args->shape, args->num_threads))) return NO_MEMORY;
    with_dtype(args->dtype, [&](auto dtype) {
        in_parallel(args->num_threads, [&](int thread, int num_threads) {
            segment_attention<decltype(dtype)>(*args, *scratch, thread, num_threads);
        });
    });
    return DONE;
}
}
