// The Fourier transforms of real functions on SO(3), between spectra and signals:  equinet/ops/so3.py
//
//     A+-(beta) = sum_l d+-^l(beta) F+-^l         for each m, n >= 0                        (F1)
//     sums over m and over n, with cos and sin of m alpha and of n gamma                    (F2), (F3)
//
// and the transpose. A job is a block of columns with a few angles beta, small enough for all of its
// sums to stay in the cache. The sums over waves are done for alpha and -alpha (gamma and -gamma) at a
// time: they differ in the sign of the sines only, which halves the products.
#include "common/api.h"
#include "cpu/parallel.h"
#include "cpu/so3_block.h"

namespace {

using eq::Job;
using eq::Sizes;

constexpr int64_t kShares = 4;  // parts of the sum over beta where there are few columns

// The blocks of columns.
template <class T, int V>
struct Blocks {
    Sizes s;
    int64_t each = (s.inner + Job<T, V>::W - 1) / Job<T, V>::W;  // for each index of the outer axis
    int64_t count = s.outer * each;
    int64_t outer(int64_t k) const { return k / each; }
    int64_t inner(int64_t k) const { return k % each * Job<T, V>::W; }
    int64_t column(int64_t k) const { return outer(k) * s.inner + inner(k); }
    int64_t wide(int64_t k) const {
        const int64_t left = s.inner - inner(k);
        return left < Job<T, V>::W ? left : Job<T, V>::W;
    }
};

// run(job, k, share): for each block k, and for each of them the parts of the angles beta.
template <class T, int V, class Run>
bool for_jobs(const Blocks<T, V>& blocks, const T* alpha, const T* gamma, int64_t shares,
              const Run& run) {
    using J = Job<T, V>;
    bool enough = true;
    parallel(blocks.count * shares, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> scratch(J::scratch(blocks.s));
        if (!scratch) {
            enough = false;
            return;
        }
        J job(blocks.s, alpha, gamma, scratch.data());
        for (int64_t i = begin; i < end; ++i) run(job, i / shares, i % shares);
    });
    return enough;
}

template <class T, int V>
int synthesis(const Sizes& s, const T* spectrum, const T* d, const T* alpha, const T* gamma, T* out) {
    using J = Job<T, V>;
    const Blocks<T, V> blocks{s};
    const int64_t groups = (s.size + J::kBetas - 1) / J::kBetas;
    const Scratch<T> packed(blocks.count * J::packed(s));
    if (!packed) return EQ_NO_MEMORY;
    parallel(blocks.count * s.band, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t k = i / s.band;
            J::pack(s, i % s.band, spectrum + blocks.column(k), blocks.wide(k),
                    packed.data() + k * J::packed(s));
        }
    });
    const int64_t field = s.size * s.size * s.size * s.inner;
    const auto run = [&](J& job, int64_t k, int64_t g) {
        const int64_t j0 = s.size * g / groups, j1 = s.size * (g + 1) / groups;
        job.amplitudes_to_z(packed.data() + k * J::packed(s), d, j0, j1 - j0);
        T* const to = out + blocks.outer(k) * field + blocks.inner(k);
        for (int64_t j = j0; j < j1; ++j) {
            job.z_to_signal(job.z + (j - j0) * J::z_step(s), to + j * s.inner, blocks.wide(k));
        }
    };
    return for_jobs(blocks, alpha, gamma, groups, run) ? EQ_OK : EQ_NO_MEMORY;
}

template <class T, int V>
int analysis(const Sizes& s, const T* signal, const T* d, const T* alpha, const T* gamma, T* out,
             const int64_t* steps) {
    using J = Job<T, V>;
    const Blocks<T, V> blocks{s};
    // With few columns the angles beta are shared out too, and the parts added in a fixed order.
    const int64_t groups = (s.size + J::kBetas - 1) / J::kBetas;
    const int64_t most = groups < kShares ? groups : kShares;
    const int64_t shares = blocks.count < kShares ? most : 1;
    const Scratch<T> packed(blocks.count * shares * J::packed(s));
    if (!packed) return EQ_NO_MEMORY;
    const auto run = [&](J& job, int64_t k, int64_t share) {
        const T* const from = signal + blocks.outer(k) * steps[0] + blocks.inner(k) * steps[4];
        const int64_t first = groups * share / shares, last = groups * (share + 1) / shares;
        for (int64_t g = first; g < last; ++g) {
            const int64_t j0 = s.size * g / groups, j1 = s.size * (g + 1) / groups;
            for (int64_t j = j0; j < j1; ++j) {
                job.signal_to_z(from + j * steps[3], steps, job.z + (j - j0) * J::z_step(s),
                                blocks.wide(k));
            }
            job.z_to_amplitudes(packed.data() + (k * shares + share) * J::packed(s), d, j0, j1 - j0,
                                g == first);
        }
    };
    if (!for_jobs(blocks, alpha, gamma, shares, run)) return EQ_NO_MEMORY;
    parallel(blocks.count * s.band, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t k = i / s.band;
            J::unpack(s, i % s.band, packed.data() + k * shares * J::packed(s), shares,
                      J::packed(s), blocks.wide(k), out + blocks.column(k));
        }
    });
    return EQ_OK;
}

}  // namespace

// spectrum (rows, outer, inner) to out (outer, gamma, alpha, beta, inner).
EQ_OPERATOR so3_synthesis(const T* spectrum, const T* d, const T* alpha, const T* gamma, T* out,
                          int64_t band, int64_t size, int64_t outer, int64_t inner, int64_t chunk) {
    const Sizes s{band, size, outer, inner, chunk};
    if (inner <= eq::lanes<T>()) return synthesis<T, 1>(s, spectrum, d, alpha, gamma, out);
    return synthesis<T, 2>(s, spectrum, d, alpha, gamma, out);
}
EQ_EXPORT(so3_synthesis)

// The transpose; `steps` are those of the signal's axes.
EQ_OPERATOR so3_analysis(const T* signal, const T* d, const T* alpha, const T* gamma, T* out,
                         const int64_t* steps, int64_t band, int64_t size, int64_t outer,
                         int64_t inner, int64_t chunk) {
    const Sizes s{band, size, outer, inner, chunk};
    if (inner <= eq::lanes<T>()) return analysis<T, 1>(s, signal, d, alpha, gamma, out, steps);
    return analysis<T, 2>(s, signal, d, alpha, gamma, out, steps);
}
EQ_EXPORT(so3_analysis)
