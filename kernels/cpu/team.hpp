// Threads that work on one token together: shares of the work, and a place to wait for each other.
#pragma once

#include <omp.h>

#include <atomic>
#include <cstdint>

struct Range {
    int64_t from, to;
};

INLINE void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// The share of thread `index` of `size`, in whole units: two threads never write to one cache line.
INLINE Range share(int64_t n, int index, int size, int64_t unit = 16) {
    int64_t units = (n + unit - 1) / unit;
    auto limit = [&](int t) { return units * t / size * unit; };
    return {limit(index) < n ? limit(index) : n, limit(index + 1) < n ? limit(index + 1) : n};
}

// What a thread will read next: it asks for a line of it whenever it has nothing better to do.
struct Ahead {
    const char* at = nullptr;
    const char* end = nullptr;

    Ahead() = default;
    Ahead(const void* begin, int64_t bytes, int64_t most)
        : at(static_cast<const char*>(begin)), end(at + (bytes < most ? bytes : most)) {}
    INLINE void fetch(int lines) {
        for (; lines > 0 && at < end; lines--, at += 64) __builtin_prefetch(at, 0, 2);
    }
};

// All threads of a team pass a barrier together. They spin, because it takes less than a microsecond, but not for
// long: where other programs need the processors, they sleep, so that the thread that is waited for gets one.
class Barrier {
    static constexpr int SPINS = 4096;  // about 50 to 200 microseconds
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<int> turn{0};

public:
    void wait(int size, Ahead& ahead) {
        if (size == 1) return;
        int now = turn.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) == size - 1) {
            arrived.store(0, std::memory_order_relaxed);
            turn.store(now + 1, std::memory_order_release);
            turn.notify_all();
            return;
        }
        for (int spins = 0; turn.load(std::memory_order_acquire) == now; spins++) {
            ahead.fetch(1);
            if (spins < SPINS)
                pause_briefly();
            else
                turn.wait(now, std::memory_order_acquire);
        }
    }
};
