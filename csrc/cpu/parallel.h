// Loops on the threads of torch, without OpenMP.
#pragma once
#include <cstdint>
#include <cstdlib>

// torch_parallel_for of torch >= 2.10: begin, end, grain, body(begin, end, context), context.
typedef void (*eq_body)(int64_t, int64_t, void*);
typedef int32_t (*eq_parallel_for)(int64_t, int64_t, int64_t, eq_body, void*);
extern eq_parallel_for eq_pool;

// body(begin, end) on parts of [0, count) with at least `grain` items each. What an item computes
// must not depend on the part that it is in: results are the same for any number of threads.
template <class Body>
void parallel(int64_t count, int64_t grain, const Body& body) {
    if (count <= 0) return;
    const eq_body call = [](int64_t begin, int64_t end, void* context) {
        (*static_cast<const Body*>(context))(begin, end);
    };
    void* context = const_cast<Body*>(&body);
    if (!eq_pool || count <= grain || eq_pool(0, count, grain, call, context)) body(0, count);
}

// The first of `size` items of equal cost that starts at or after `cost_before`, for work that is cut
// into parts of equal cost and not of equally many items.
inline int64_t cut(int64_t cost_before, int64_t cost, int64_t size) {
    if (cost_before <= 0 || size <= 0) return 0;
    const int64_t i = (cost_before + cost - 1) / cost;
    return i < size ? i : size;
}

// Memory for intermediate results of one call on one thread, aligned to a cache line.
template <class T>
class Scratch {
  public:
    explicit Scratch(int64_t count) : raw_(std::malloc(count * sizeof(T) + 64)) {}
    ~Scratch() { std::free(raw_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    explicit operator bool() const { return raw_; }
    T* data() const {
        const auto address = reinterpret_cast<uintptr_t>(raw_);
        return reinterpret_cast<T*>((address + 63) & ~uintptr_t(63));
    }

  private:
    void* raw_;
};
