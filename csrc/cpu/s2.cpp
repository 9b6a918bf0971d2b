// The Fourier transforms of real fields on the sphere, between spectra and Fourier coefficients over
// alpha:  equinet/ops/s2.py
//
//     P(beta) = sum_l d^l(beta) F+^l,    Q(beta) = sum_l d^l(beta) F-^l         for each m >= 0  (H3)
//     X^c = P + Q mirrored,  X^s = i (P - Q mirrored)                                            (H4)
//
// and the transpose, with a factor for each degree and for each ring. For n = 0, where F+ and F- differ
// by the sign of odd l - m, P and Q are the sums over even and odd l - m instead, X = P + Q in one half
// and P - Q, mirrored, in the other. A job is a block of columns with the orders of one line of the
// cache; complex numbers are moved as pairs.
#include "common/api.h"
#include "cpu/columns.h"
#include "cpu/parallel.h"

namespace {

struct Sizes {
    int64_t band, rings, waves, order, channels, batch, chunk;  // orders m in memory, in a chunk of d
    int64_t columns() const { return channels * batch; }
    int64_t line() const { return 2 * waves; }  // numbers for each ring
    int64_t points() const { return order ? rings : (rings + 1) / 2; }  // angles beta in the table
    int64_t lowest(int64_t m) const { return m > order ? m : order; }
    int64_t degrees(int64_t m) const { return band - lowest(m); }
    // Of the coefficient (l, m, n), n = 0 or +-order, in a spectrum.
    int64_t row(int64_t l, int64_t m, int64_t n) const {
        return order ? 2 * (l * l - order * order + l + m) + (n > 0) : l * l + l + m;
    }
    // Where the lowest degree at m starts in the table.
    int64_t entry(int64_t m) const {
        int64_t at = 0, m0 = 0;
        for (; m0 + chunk <= m; m0 += chunk) at += chunk * degrees(m0) * points();
        return at + ((m - m0) * degrees(m0) + lowest(m) - lowest(m0)) * points();
    }
    // Where the first part of a column starts among the Fourier coefficients.
    int64_t field(int64_t column) const {
        const int64_t place = column % batch * channels + column / batch;
        return place * (order ? 2 : 1) * rings * line();
    }
};

// The table, and the factors of degrees and of rings.
template <class T>
struct Constants {
    const T *d, *by_degree, *by_ring;
};

template <class T>
struct Complex {
    typedef T Pair __attribute__((vector_size(2 * sizeof(T))));
    static Pair load(const T* memory) {
        Pair value;
        std::memcpy(&value, memory, sizeof value);
        return value;
    }
    static void store(T* memory, Pair value) { std::memcpy(memory, &value, sizeof value); }
    static Pair times_i(Pair x) { return Pair{-x[1], x[0]}; }
};

// All that one thread needs, in one piece of memory: W columns, of which each has a real and an
// imaginary number, for each of `kOrders` orders.
template <class T, int V>
struct Job {
    static constexpr int64_t W2 = V * eq::lanes<T>(), W = W2 / 2, kOrders = 8, kAhead = 2;
    using C = Complex<T>;
    using Pair = typename C::Pair;
    Sizes s;
    T *z, *f;                    // P, Q and F+, F-
    int64_t m0, many, c0, wide;  // the orders and the columns
    int64_t fields[W];

    // Of P and of Q; odd, as powers of two would share few lines of the cache.
    static int64_t z_step(const Sizes& s) { return (s.points() | 1) * W2; }
    static int64_t scratch(const Sizes& s) { return 2 * kOrders * (z_step(s) + s.band * W2); }

    Job(const Sizes& s, T* memory) : s(s), z(memory), f(memory + 2 * kOrders * z_step(s)) {
        std::memset(memory, 0, scratch(s) * sizeof(T));  // also for columns that there are not
    }

    void begin(int64_t chunk, int64_t block) {
        m0 = chunk * kOrders, c0 = block * W;
        many = s.band - m0 < kOrders ? s.band - m0 : kOrders;
        wide = s.columns() - c0 < W ? s.columns() - c0 : W;
        for (int64_t c = 0; c < wide; ++c) fields[c] = s.field(c0 + c) + 2 * m0;
    }

    // visit(first, second, p, q, a, b): for each angle and column where the orders start that are
    // combined, in memory, X^c and X^s, or X and its mirror image, which on the equator is X itself;
    // where in P and in Q, mirrored, of order m0; and the factors of the two.
    template <class Visit>
    void for_pairs(const T* by_ring, const Visit& visit) const {
        const int64_t last = s.rings - 1;
        for (int64_t j = 0; j < s.points(); ++j) {
            const int64_t here = j * s.line();
            const int64_t other = s.order ? here + s.rings * s.line() : (last - j) * s.line();
            T* const p = z + j * W2;
            T* const q = z + z_step(s) + (s.order ? last - j : j) * W2;
            const T a = by_ring[j], b = by_ring[s.order ? j : last - j];
            for (int64_t c = 0; c < wide; ++c) {
                visit(fields[c] + here, fields[c] + other, p + 2 * c, q + 2 * c, a, b);
            }
        }
    }

    // The orders of one column are a line of the cache for each angle, far from each other, which the
    // processor does not foresee: they are asked for some angles before. Always inlined, as compilers
    // drop calls of a function that does nothing else.
    template <int to_write>
    __attribute__((always_inline)) void fetch(const T* waves, int64_t first, int64_t second) const {
        const int64_t soon = kAhead * s.line();
        const char* a = reinterpret_cast<const char*>(waves + first + soon);
        const char* b = reinterpret_cast<const char*>(waves + second + (s.order ? soon : -soon));
        __builtin_prefetch(a, to_write);
        __builtin_prefetch(a + 63, to_write);
        __builtin_prefetch(b, to_write);
        __builtin_prefetch(b + 63, to_write);
    }

    template <bool order>
    void z_to_waves(const T* by_ring, T* waves) const {
        const int64_t step = 2 * z_step(s);
        const int64_t after = m0 + many < s.band ? 0 : s.waves - s.band;  // orders that are 0
        const size_t rest = 2 * after * sizeof(T);
        for_pairs(by_ring, [&](int64_t first, int64_t second, const T* p, const T* q, T x, T y) {
            fetch<1>(waves, first, second);
            for (int64_t m = 0; m < many; ++m) {
                const Pair a = C::load(p + m * step), b = C::load(q + m * step);
                C::store(waves + second + 2 * m, y * (order ? C::times_i(a - b) : a - b));
                C::store(waves + first + 2 * m, x * (a + b));  // the one that stays on the equator
            }
            std::memset(waves + first + 2 * many, 0, rest);
            std::memset(waves + second + 2 * many, 0, rest);
        });
    }

    template <bool order>
    void waves_to_z(const T* by_ring, const T* waves) const {
        const int64_t step = 2 * z_step(s);
        for_pairs(by_ring, [&](int64_t first, int64_t second, T* p, T* q, T x, T y) {
            fetch<0>(waves, first, second);
            if (first == second) y = 0;
            for (int64_t m = 0; m < many; ++m) {
                const Pair a = x * C::load(waves + first + 2 * m);
                Pair b = y * C::load(waves + second + 2 * m);
                if (order) b = -C::times_i(b);
                C::store(p + m * step, a + b);
                C::store(q + m * step, a - b);
            }
        });
    }

    // visit(terms, table, f, z) for P and for Q: the number of degrees, where the first of them stands
    // in the table and among the amplitudes. The next is `skip` further on.
    int64_t skip() const { return s.order ? 1 : 2; }
    template <class Visit>
    void for_sums(const T* d, const Visit& visit) const {
        for (int64_t m = m0; m < m0 + many; ++m) {
            const int64_t count = s.degrees(m);
            const T* const table = d + s.entry(m);
            T *const a = amplitudes(s.lowest(m), m), *const p = z + (m - m0) * 2 * z_step(s);
            if (s.order) {
                visit(count, table, a, p);
                visit(count, table, a + s.band * W2, p + z_step(s));
            } else {
                visit((count + 1) / 2, table, a, p);
                visit(count / 2, table + s.points(), a + W2, p + z_step(s));
            }
        }
    }

    // Those of one degree, F+ and, if n > 0, F- a band further on.
    T* amplitudes(int64_t l, int64_t m) const { return f + ((m - m0) * 2 * s.band + l) * W2; }

    // visit(++, --, -+, +-, l, m): where the coefficients (m, n), (-m, -n), (-m, n), (m, -n) of the
    // first column are, null for those that are not. The orders of a degree are neighbours in memory.
    template <class S, class Visit>
    void for_coefficients(S* spectrum, const Visit& visit) const {
        const int64_t n = s.order;
        for (int64_t l = s.lowest(m0); l < s.band; ++l) {
            for (int64_t m = m0; m < m0 + many && m <= l; ++m) {
                const auto line = [&](int64_t a, int64_t b, bool there) -> S* {
                    return there ? spectrum + s.row(l, a, b) * s.columns() + c0 : nullptr;
                };
                visit(line(m, n, true), line(-m, -n, m && n), line(-m, n, m), line(m, -n, n), l, m);
            }
        }
    }

    T sign(int64_t l, int64_t m) const { return (l + m + s.order) % 2 ? T(-1) : T(1); }

    void pack(const T* spectrum, const T* by_degree, T half) const {
        for_coefficients(spectrum, [&](const T* pp, const T* mm, const T* mp, const T* pm, int64_t l,
                                       int64_t m) {
            T row[4][W] = {}, plus[W2], minus[W2];
            const T* const from[4] = {pp, mm, mp, pm};
            for (int q = 0; q < 4; ++q) {
                if (from[q]) std::memcpy(row[q], from[q], wide * sizeof(T));
            }
            const T factor = (m ? half : T(1)) * by_degree[l];
            const T other = factor * sign(l, m);
            for (int64_t c = 0; c < W; ++c) {
                plus[2 * c] = factor * (row[0][c] + row[1][c]);
                plus[2 * c + 1] = factor * (row[3][c] - row[2][c]);
                minus[2 * c] = other * (row[0][c] - row[1][c]);
                minus[2 * c + 1] = other * (-row[2][c] - row[3][c]);
            }
            std::memcpy(amplitudes(l, m), plus, sizeof plus);
            if (s.order) std::memcpy(amplitudes(s.band + l, m), minus, sizeof minus);
        });
    }

    // The transpose, but for the half.
    void unpack(T* spectrum, const T* by_degree) const {
        for_coefficients(spectrum, [&](T* pp, T* mm, T* mp, T* pm, int64_t l, int64_t m) {
            T plus[W2], minus[W2] = {}, row[4][W];
            std::memcpy(plus, amplitudes(l, m), sizeof plus);
            if (s.order) std::memcpy(minus, amplitudes(s.band + l, m), sizeof minus);
            const T factor = by_degree[l], other = factor * sign(l, m);
            for (int64_t c = 0; c < W; ++c) {
                row[0][c] = factor * plus[2 * c] + other * minus[2 * c];
                row[1][c] = factor * plus[2 * c] - other * minus[2 * c];
                row[2][c] = -factor * plus[2 * c + 1] - other * minus[2 * c + 1];
                row[3][c] = factor * plus[2 * c + 1] - other * minus[2 * c + 1];
            }
            T* const to[4] = {pp, mm, mp, pm};
            for (int q = 0; q < 4; ++q) {
                if (to[q]) std::memcpy(to[q], row[q], wide * sizeof(T));
            }
        });
    }

    void synthesis(const T* spectrum, const Constants<T>& k, T half, T* waves) const {
        pack(spectrum, k.by_degree, half);
        for_sums(k.d, [&](int64_t terms, const T* table, const T* from, T* to) {
            const eq::Table<T> by_angle{table, 1, skip() * s.points()};
            eq::product<T>(s.points(), W2, terms, by_angle, from, skip() * W2, to, W2);
        });
        s.order ? z_to_waves<true>(k.by_ring, waves) : z_to_waves<false>(k.by_ring, waves);
    }

    void analysis(const T* waves, const Constants<T>& k, T* spectrum) const {
        s.order ? waves_to_z<true>(k.by_ring, waves) : waves_to_z<false>(k.by_ring, waves);
        for_sums(k.d, [&](int64_t terms, const T* table, T* to, const T* from) {
            const eq::Table<T> by_degree{table, skip() * s.points(), 1};
            eq::product<T>(terms, W2, s.points(), by_degree, from, W2, to, skip() * W2);
        });
        unpack(spectrum, k.by_degree);
    }
};

// Multiplications below which a second thread costs more than it saves.
constexpr int64_t kGrain = 1 << 16;

// run(job) for all blocks of columns and all orders.
template <class T, int V, class Run>
int for_jobs(const Sizes& s, const Run& run) {
    using J = Job<T, V>;
    const int64_t blocks = (s.columns() + J::W - 1) / J::W;
    const int64_t chunks = (s.band + J::kOrders - 1) / J::kOrders;
    const int64_t cost = J::kOrders * s.points() * s.band * J::W;
    bool enough = true;
    parallel(blocks * chunks, 1 + kGrain / (cost + 1), [&](int64_t begin, int64_t end) {
        const Scratch<T> memory(J::scratch(s));
        if (!memory) {
            enough = false;
            return;
        }
        J job(s, memory.data());
        for (int64_t i = begin; i < end; ++i) {
            // Low orders, which have many degrees, in turn with high ones: equal shares for all threads.
            const int64_t k = i / blocks, chunk = k % 2 ? chunks - 1 - k / 2 : k / 2;
            job.begin(chunk, i % blocks);
            run(job);
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}

template <class T, int V>
int synthesis(const Sizes& s, const T* spectrum, const Constants<T>& k, T half, T* waves) {
    return for_jobs<T, V>(s, [&](Job<T, V>& job) { job.synthesis(spectrum, k, half, waves); });
}

template <class T, int V>
int analysis(const Sizes& s, const T* waves, const Constants<T>& k, T* spectrum) {
    return for_jobs<T, V>(s, [&](Job<T, V>& job) { job.analysis(waves, k, spectrum); });
}

}  // namespace

// spectrum (rows, channels, batch) to waves (batch, channels, part, ring, m, real or imaginary), those
// with m > 0 halved if `halve`, as a real inverse Fourier transform counts them twice.
EQ_OPERATOR s2_synthesis(const T* spectrum, const T* d, const T* by_degree, const T* by_ring, T* waves,
                         int64_t halve, int64_t band, int64_t rings, int64_t orders, int64_t order,
                         int64_t channels, int64_t batch, int64_t chunk) {
    const Sizes s{band, rings, orders, order, channels, batch, chunk};
    const Constants<T> k{d, by_degree, by_ring};
    const T half = halve ? T(0.5) : T(1);
    if (2 * s.columns() <= eq::lanes<T>()) return synthesis<T, 1>(s, spectrum, k, half, waves);
    return synthesis<T, 2>(s, spectrum, k, half, waves);
}
EQ_EXPORT(s2_synthesis)

// The transpose, but for the factors 1/2.
EQ_OPERATOR s2_analysis(const T* waves, const T* d, const T* by_degree, const T* by_ring, T* spectrum,
                        int64_t band, int64_t rings, int64_t orders, int64_t order, int64_t channels,
                        int64_t batch, int64_t chunk) {
    const Sizes s{band, rings, orders, order, channels, batch, chunk};
    const Constants<T> k{d, by_degree, by_ring};
    if (2 * s.columns() <= eq::lanes<T>()) return analysis<T, 1>(s, waves, k, spectrum);
    return analysis<T, 2>(s, waves, k, spectrum);
}
EQ_EXPORT(s2_analysis)
