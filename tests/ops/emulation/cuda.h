// Enough of CUDA to run kernels on the CPU, one thread of the GPU after the other.
//
// The threads of a block are fibers that give way to each other at barriers only; blocks run in
// turn. That finds wrong indices, missing barriers and, under the address sanitizer, accesses
// outside of an array. It does not find races that need real scheduling. Fibers run in ascending
// or, with emulation::descending, in descending order: a kernel whose result depends on the order
// lacks a barrier. The shared memory that a launch asks for starts with NaN patterns in each block.
#pragma once
#include <ucontext.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __shared__ static
#define EQ_SHARED(name) T* const name = reinterpret_cast<T*>(emulation::shared.get())

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

namespace emulation {

struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    dim3 index;
    bool done;
    long barriers;
};

inline std::vector<Fiber> fibers;
inline ucontext_t scheduler;
inline int current = 0, count = 0;
inline bool descending = false;
inline dim3 grid, block, at;
inline std::function<void()> kernel;
inline char exchange[2][1024][16];  // in turn: one is read while the next is written
inline std::unique_ptr<char[]> shared;  // of its exact size, for the sanitizer
inline size_t shared_size = 0;

inline void give_way() {
    const int me = current;
    swapcontext(&fibers[me].context, &scheduler);
}

// Waits until every fiber in [begin, end) that has not returned has met as many barriers as this.
inline void barrier(int begin, int end) {
    const long mine = ++fibers[current].barriers;
    for (;;) {
        bool all = true;
        for (int i = begin; i < end; ++i) all &= fibers[i].done || fibers[i].barriers >= mine;
        if (all) return;
        give_way();
    }
}

inline void run_fiber() {
    kernel();
    fibers[current].done = true;
    give_way();
}

inline void run_block() {
    std::memset(shared.get(), 0xff, shared_size);
    count = block.x * block.y * block.z;
    if (int(fibers.size()) < count) fibers.resize(count);
    for (int i = 0; i < count; ++i) {
        Fiber& fiber = fibers[i];
        fiber.stack.resize(256 * 1024);
        fiber.done = false;
        fiber.barriers = 0;
        const unsigned n = i;
        fiber.index = {n % block.x, n / block.x % block.y, n / (block.x * block.y)};
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, run_fiber, 0);
    }
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < count; ++i) {
            current = descending ? count - 1 - i : i;
            if (fibers[current].done) continue;
            any = true;
            swapcontext(&scheduler, &fibers[current].context);
        }
    }
}

inline void launch(dim3 blocks, dim3 threads, size_t bytes, std::function<void()> body) {
    grid = blocks, block = threads, kernel = body;
    shared.reset(new char[bytes]), shared_size = bytes;
    for (at.z = 0; at.z < grid.z; ++at.z) {
        for (at.y = 0; at.y < grid.y; ++at.y) {
            for (at.x = 0; at.x < grid.x; ++at.x) run_block();
        }
    }
}

inline int warp_begin() { return current / 32 * 32; }
inline int warp_end() { return warp_begin() + 32 < count ? warp_begin() + 32 : count; }

template <class T>
T shuffle(T value, int lane) {
    const int source = warp_begin() + lane, last = warp_end();
    const long turn = fibers[current].barriers % 2;
    std::memcpy(exchange[turn][current], &value, sizeof value);
    barrier(warp_begin(), last);
    T result = value;
    if (lane >= 0 && source < last) std::memcpy(&result, exchange[turn][source], sizeof result);
    return result;
}

}  // namespace emulation

#define threadIdx (emulation::fibers[emulation::current].index)
#define blockIdx (emulation::at)
#define blockDim (emulation::block)
#define gridDim (emulation::grid)

inline void __syncthreads() { emulation::barrier(0, emulation::count); }
inline void __syncwarp(unsigned = ~0u) {
    emulation::barrier(emulation::warp_begin(), emulation::warp_end());
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
    return emulation::shuffle(value, lane & 31);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return emulation::shuffle(value, (emulation::current & 31) ^ mask);
}
template <class T>
T __shfl_down_sync(unsigned, T value, int by) {
    const int lane = emulation::current & 31;
    return emulation::shuffle(value, lane + by > 31 ? lane : lane + by);
}
template <class T>
T __ldg(const T* p) {
    return *p;
}
