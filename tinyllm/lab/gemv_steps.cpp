// y = W x for one row of x: the GEMV of notebook 03, with a switch for each idea.
#include <omp.h>

#include <cstdint>
#include <cstring>

template <int WIDTH>
struct Wide {
    typedef float vec __attribute__((vector_size(4 * WIDTH)));
};
template <>
struct Wide<1> {
    typedef float vec;
};

// ROWS neighbouring rows of W. Each has SUMS independent sums, of WIDTH floats each.
template <int WIDTH, int SUMS, int PREFETCH, int ROWS>
inline void dot_rows(const float* w, int64_t stride, const float* x, int64_t k, float* y) {
    typedef typename Wide<WIDTH>::vec vec;
    vec sum[ROWS][SUMS] = {};
    int64_t i = 0;
    for (; i + WIDTH * SUMS <= k; i += WIDTH * SUMS)
        for (int s = 0; s < SUMS; s++)
            for (int r = 0; r < ROWS; r++) {
                const float* at = w + r * stride + i + s * WIDTH;
                if (PREFETCH) __builtin_prefetch((const char*)at + PREFETCH, 0, 2);
                vec weights, inputs;
                std::memcpy(&weights, at, sizeof weights);
                std::memcpy(&inputs, x + i + s * WIDTH, sizeof inputs);
                sum[r][s] += weights * inputs;
            }
    for (int r = 0; r < ROWS; r++) {
        float lanes[WIDTH];
        for (int s = 1; s < SUMS; s++) sum[r][0] += sum[r][s];
        std::memcpy(lanes, &sum[r][0], sizeof lanes);
        for (int lane = 1; lane < WIDTH; lane++) lanes[0] += lanes[lane];
        for (int64_t j = i; j < k; j++) lanes[0] += w[r * stride + j] * x[j];
        y[r] = lanes[0];
    }
}

// W has n rows of k floats, one every `stride` floats. Each thread reads one block of rows.
template <int WIDTH, int SUMS, int PREFETCH, int ROWS>
void gemv(const float* w, int64_t stride, const float* x, float* y, int64_t n, int64_t k,
          int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t tile = 0; tile < n / ROWS; tile++)
        dot_rows<WIDTH, SUMS, PREFETCH, ROWS>(w + tile * ROWS * stride, stride, x, k,
                                              y + tile * ROWS);
    for (int64_t row = n / ROWS * ROWS; row < n; row++)
        dot_rows<WIDTH, SUMS, PREFETCH, 1>(w + row * stride, stride, x, k, y + row);
}

extern "C" {
#define EXPORT(width, sums, prefetch, rows)                                                 \
    void gemv_##width##_##sums##_##prefetch##_##rows(const float* w, int64_t stride,        \
                                                     const float* x, float* y, int64_t n,   \
                                                     int64_t k, int threads) {              \
        gemv<width, sums, prefetch, rows>(w, stride, x, y, n, k, threads);                  \
    }
EXPORT(1, 1, 0, 1)
EXPORT(16, 1, 0, 1)
EXPORT(16, 4, 0, 1)
EXPORT(16, 4, 4096, 1)
EXPORT(16, 4, 4096, 2)

// Follows a chain of `steps` addresses: each load has to wait for the one before it.
int64_t chase(const int64_t* next, int64_t at, int64_t steps) {
    while (steps-- > 0) at = next[at];
    return at;
}
}
