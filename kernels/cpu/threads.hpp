// The threads of one parallel region: how they divide a range, prefetch weights, and synchronize.
#pragma once

#include <omp.h>

#include <atomic>
#include <cstdint>

struct IndexRange {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
};

INLINE void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// The part of [0, n) that one thread computes, in whole units: no two threads write to one cache
// line.
INLINE IndexRange thread_range(int64_t n, int thread, int num_threads, int64_t unit = 16) {
    int64_t units = (n + unit - 1) / unit;
    auto limit = [&](int t) { return units * t / num_threads * unit; };
    int64_t begin = limit(thread), end = limit(thread + 1);
    return {begin < n ? begin : n, end < n ? end : n};
}

// Prefetches a thread's next weights, a few cache lines at a time, while it waits at a barrier.
struct Prefetcher {
    const char* next = nullptr;
    const char* end = nullptr;

    Prefetcher() = default;
    Prefetcher(const void* begin, int64_t bytes, int64_t max_bytes)
        : next(static_cast<const char*>(begin)),
          end(next + (bytes < max_bytes ? bytes : max_bytes)) {}
    INLINE void fetch(int lines) {
        for (; lines > 0 && next < end; lines--, next += 64) __builtin_prefetch(next, 0, 2);
    }
};

// Threads spin at a barrier, because it takes less than a microsecond, but not for long: where
// other programs need the processors, they sleep, so that the last thread to arrive gets one.
class Barrier {
    static constexpr int MAX_SPINS = 4096;  // about 50 to 200 microseconds
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<int> generation{0};

public:
    void wait(int num_threads, Prefetcher& prefetcher) {
        if (num_threads == 1) return;
        int current = generation.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) == num_threads - 1) {
            arrived.store(0, std::memory_order_relaxed);
            generation.store(current + 1, std::memory_order_release);
            generation.notify_all();
            return;
        }
        for (int spins = 0; generation.load(std::memory_order_acquire) == current; spins++) {
            prefetcher.fetch(1);
            if (spins < MAX_SPINS)
                pause_briefly();
            else
                generation.wait(current, std::memory_order_acquire);
        }
    }
};
