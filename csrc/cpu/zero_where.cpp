// x, and 0 where a mask says so:                                      equinet/ops/masking.py
//
// The mask and the result lie alike and densely in memory; x has a step for every axis, 0 where it
// is one number for the whole axis.
#include "common/api.h"
#include "cpu/parallel.h"

namespace {

constexpr int64_t kGrain = 1 << 15;  // numbers for which a second thread is worth its start

template <class T>
void row(const T* x, int64_t step, const uint8_t* where, T* out, int64_t count) {
    if (step == 1) {
        for (int64_t i = 0; i < count; ++i) out[i] = where[i] ? T(0) : x[i];
    } else {
        for (int64_t i = 0; i < count; ++i) out[i] = where[i] ? T(0) : x[i * step];
    }
}

}  // namespace

// `sizes` and the steps of x are those of `axes` axes, the outermost first.
EQ_OPERATOR zero_where(const T* x, const uint8_t* where, T* out, const int64_t* sizes,
                       const int64_t* steps, int64_t axes, int64_t count) {
    const int64_t inner = sizes[axes - 1];
    parallel(count, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end;) {
            const int64_t start = i % inner, left = inner - start;
            const int64_t some = left < end - i ? left : end - i;
            const T* from = x + start * steps[axes - 1];
            for (int64_t a = axes - 2, rest = i / inner; a >= 0; rest /= sizes[a--]) {
                from += rest % sizes[a] * steps[a];
            }
            row(from, steps[axes - 1], where + i, out + i, some);
            i += some;
        }
    });
    return EQ_OK;
}
EQ_EXPORT(zero_where)
