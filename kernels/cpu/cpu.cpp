// The functions that Python calls. Each is one parallel region; nothing here throws.
#include <new>

#include "kernels.hpp"
#include "step.hpp"

namespace {

// Call `work(T{})` with the number format of the data.
template <class Work>
void with_format(int32_t format, Work work) {
    if (format == FLOAT32) work(float{});
    if (format == FLOAT16) work(fp16{});
    if (format == BFLOAT16) work(bf16{});
}

// As many threads as asked for, or as there are: within another parallel region, one.
template <class Work>
void in_parallel(int threads, Work work) {
#pragma omp parallel num_threads(threads)
    work(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace

extern "C" {

Workspace* tinyllm_workspace() { return new (std::nothrow) Workspace; }

void tinyllm_free(Workspace* space) { delete space; }

int tinyllm_lanes() { return W; }

int tinyllm_max_rows() { return MAX_ROWS; }

// 0; or 1 where there is no memory, 2 where a token is not in the vocabulary.
int tinyllm_step(const Model* model, const Call* call, Workspace* space) {
    for (int i = 0; !call->embedded && i < call->b * call->w; i++)
        if (call->tokens[i] < 0 || call->tokens[i] >= model->vocabulary) return 2;
    Heads heads{call->b, call->w, model->h, model->g, model->d};
    if (!space->reserve(Buffers::floats(*model, heads, call->threads))) return 1;
    with_format(model->format, [&](auto format) {
        in_parallel(call->threads, [&](int thread, int threads) {
            DecodeStep<decltype(format)>(*model, *call, *space, heads, threads, thread).run();
        });
    });
    return 0;
}

void tinyllm_linear(const Product* product) {
    with_format(product->format, [&](auto format) {
        in_parallel(product->threads,
                    [&](int thread, int threads) { linear<decltype(format)>(*product, thread, threads); });
    });
}

int tinyllm_segment_attention(const SegmentAttention* arguments, Workspace* space) {
    if (!space->reserve(attention_floats(arguments->heads, arguments->threads))) return 1;
    with_format(arguments->format, [&](auto format) {
        in_parallel(arguments->threads, [&](int thread, int threads) {
            segment_attention<decltype(format)>(*arguments, *space, thread, threads);
        });
    });
    return 0;
}
}
