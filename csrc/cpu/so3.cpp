// The Fourier transforms of real functions on SO(3), between spectra and signals:  equinet/ops/so3.py
//
//     A+-(beta) = sum_l d+-^l(beta) F+-^l         for each m, n >= 0                        (F1)
//     sums over m and over n, with cos and sin of m alpha and of n gamma                    (F2), (F3)
//
// and the transpose. A job is a block of columns with a few angles beta, small enough for all of its
// sums to stay in the cache. The sums over waves are done for alpha, -alpha, pi - alpha and pi + alpha at
// a time (and gamma): they differ in signs of even and odd waves only, which leaves a quarter of the
// products.
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

// visit(rows, k, at, next) for the coefficients (m, n), (-m, n), (-m, -n), (m, -n) of each degree l and
// each block k of columns: where they start in `spectrum`, null for one that is the same as another, and
// where their amplitudes lie in the packed ones of a block: F+ at `at`, F- `next` behind, 0 if there is
// none. The blocks of a row are visited one after the other, as they lie in memory.
template <class T, int V, class S, class Visit>
void for_coefficients(const Blocks<T, V>& blocks, S* spectrum, const Visit& visit) {
    const Sizes& s = blocks.s;
    const int64_t pairs = s.band * s.band;
    parallel(pairs, 1, [&](int64_t begin, int64_t end) {
        for (int64_t turn = begin; turn < end; ++turn) {
            // From both ends in turn, as high orders have few degrees: so every thread has a fair share.
            const int64_t i = turn % 2 ? pairs - 1 - turn / 2 : turn / 2;
            const int64_t n = i / s.band, m = i % s.band, l0 = m > n ? m : n;
            const int64_t W2 = Job<T, V>::W2, next = n ? (s.band - l0) * W2 : 0;
            int64_t at = (s.before(n) + s.before(n, m)) * W2;
            for (int64_t l = l0; l < s.band; ++l, at += W2) {
                for (int64_t k = 0; k < blocks.count; ++k) {
                    const auto line = [&](int64_t a, int64_t b, bool there) -> S* {
                        return there ? spectrum + s.row(l, a, b) * s.columns() + blocks.column(k)
                                     : nullptr;
                    };
                    S* const rows[4] = {line(m, n, true), line(-m, n, m), line(-m, -n, m && n),
                                        line(m, -n, n)};
                    visit(rows, k, at, next);
                }
            }
        }
    });
}

template <class T, int V>
void pack(const Blocks<T, V>& blocks, const T* spectrum, T* packed) {
    using J = Job<T, V>;
    const T zeros[J::W] = {};
    for_coefficients<T, V>(blocks, spectrum, [&](const T* const* rows, int64_t k, int64_t at,
                                                 int64_t next) {
        T narrow[4][J::W];
        const T* from[4];
        const int64_t wide = blocks.wide(k);
        for (int q = 0; q < 4; ++q) {
            from[q] = rows[q] ? rows[q] : zeros;
            if (rows[q] && wide < J::W) {
                std::memset(narrow[q], 0, sizeof narrow[q]);
                std::memcpy(narrow[q], rows[q], wide * sizeof(T));
                from[q] = narrow[q];
            }
        }
        T* const to = packed + k * J::packed(blocks.s) + at;
        J::pack(from[0], from[1], from[2], from[3], to, next ? to + next : nullptr);
    });
}

// The transpose, of a sum of `shares` parts.
template <class T, int V>
void unpack(const Blocks<T, V>& blocks, const T* packed, int64_t shares, T* spectrum) {
    using J = Job<T, V>;
    for_coefficients<T, V>(blocks, spectrum, [&](T* const* rows, int64_t k, int64_t at,
                                                 int64_t next) {
        const T *from = packed + k * shares * J::packed(blocks.s) + at, *plus = from;
        T sum[2][J::W2], result[4][J::W];
        for (int64_t share = 1; share < shares; ++share) {
            const T* const part = from + share * J::packed(blocks.s);
            for (int64_t i = 0; i < J::W2; ++i) {
                sum[0][i] = (share > 1 ? sum[0][i] : from[i]) + part[i];
                sum[1][i] = (share > 1 ? sum[1][i] : from[next + i]) + part[next + i];
            }
            plus = sum[0];
        }
        const T* const minus = shares > 1 ? sum[1] : from + next;
        J::unpack(plus, next ? minus : nullptr, result[0], result[1], result[2], result[3]);
        for (int q = 0; q < 4; ++q) {
            if (rows[q]) std::memcpy(rows[q], result[q], blocks.wide(k) * sizeof(T));
        }
    });
}

// What one call reads and writes.
template <class T>
struct Call {
    Sizes s;
    const T *d, *alpha, *gamma;
    const uint8_t* zero;
    // Where a mask begins for an angle beta and a block: see kGroup.
    template <class Byte, class Blocks>
    Byte* mask(Byte* start, const Blocks& blocks, int64_t k, int64_t j) const {
        if (!start) return nullptr;
        const int64_t groups = (s.inner + eq::kGroup - 1) / eq::kGroup, column = blocks.inner(k);
        const int64_t group = blocks.outer(k) * groups + column / eq::kGroup;
        return start + (group * s.size + j) * s.size * s.size * eq::kGroup + column % eq::kGroup;
    }
};

template <class T, int V>
int synthesis(const Call<T>& call, const T* spectrum, T* out, uint8_t* negative) {
    using J = Job<T, V>;
    const Sizes& s = call.s;
    const Blocks<T, V> blocks{s};
    const int64_t groups = (s.size + J::kBetas - 1) / J::kBetas;
    const Scratch<T> packed(blocks.count * J::packed(s));
    if (!packed) return EQ_NO_MEMORY;
    pack(blocks, spectrum, packed.data());
    const int64_t alpha_step = s.size * s.inner, gamma_step = s.size * alpha_step;
    const auto run = [&](J& job, int64_t k, int64_t g) {
        const int64_t j0 = s.size * g / groups, j1 = s.size * (g + 1) / groups;
        job.amplitudes_to_z(packed.data() + k * J::packed(s), call.d, j0, j1 - j0);
        T* const to = out + blocks.outer(k) * s.size * gamma_step + blocks.inner(k);
        for (int64_t j = j0; j < j1; ++j) {
            job.z_to_signal(job.z + (j - j0) * J::z_step(s),
                            {to + j * s.inner, gamma_step, alpha_step, 1},
                            call.mask(call.zero, blocks, k, j), call.mask(negative, blocks, k, j),
                            blocks.wide(k));
        }
    };
    return for_jobs(blocks, call.alpha, call.gamma, groups, run) ? EQ_OK : EQ_NO_MEMORY;
}

template <class T, int V>
int analysis(const Call<T>& call, const T* signal, const int64_t* steps, T* out) {
    using J = Job<T, V>;
    const Sizes& s = call.s;
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
                job.signal_to_z({from + j * steps[3], steps[1], steps[2], steps[4]},
                                call.mask(call.zero, blocks, k, j),
                                job.z + (j - j0) * J::z_step(s), blocks.wide(k));
            }
            job.z_to_amplitudes(packed.data() + (k * shares + share) * J::packed(s), call.d, j0,
                                j1 - j0, g == first);
        }
    };
    if (!for_jobs(blocks, call.alpha, call.gamma, shares, run)) return EQ_NO_MEMORY;
    unpack(blocks, packed.data(), shares, out);
    return EQ_OK;
}

}  // namespace

// spectrum (rows, outer, inner) to out (outer, gamma, alpha, beta, inner); masks lie as kGroup says.
EQ_OPERATOR so3_synthesis(const T* spectrum, const uint8_t* zero, const T* d, const T* alpha,
                          const T* gamma, T* out, uint8_t* negative, int64_t band, int64_t size,
                          int64_t outer, int64_t inner, int64_t chunk) {
    const Call<T> call{{band, size, outer, inner, chunk}, d, alpha, gamma, zero};
    if (inner <= eq::lanes<T>()) return synthesis<T, 1>(call, spectrum, out, negative);
    return synthesis<T, 2>(call, spectrum, out, negative);
}
EQ_EXPORT(so3_synthesis)

// The transpose; `steps` are those of the signal's axes.
EQ_OPERATOR so3_analysis(const T* signal, const uint8_t* zero, const T* d, const T* alpha,
                         const T* gamma, T* out, const int64_t* steps, int64_t band, int64_t size,
                         int64_t outer, int64_t inner, int64_t chunk) {
    const Call<T> call{{band, size, outer, inner, chunk}, d, alpha, gamma, zero};
    if (inner <= eq::lanes<T>()) return analysis<T, 1>(call, signal, steps, out);
    return analysis<T, 2>(call, signal, steps, out);
}
EQ_EXPORT(so3_analysis)
