// The work on one block of columns of a transform on SO(3), with a few angles beta. Before: columns.h.
// Next: so3.cpp, which says what is computed.
#pragma once
#include <cstdint>
#include <cstring>

#include "cpu/columns.h"

namespace eq {

struct Sizes {
    int64_t band, size, outer, inner, chunk;  // columns are (outer, inner)
    int64_t columns() const { return outer * inner; }
    int64_t angles() const { return size / 2 + 1; }  // those up to pi
    // Amplitudes of waves with orders below n: two for each m and l, one where n = 0.
    int64_t before(int64_t n) const {
        int64_t count = 0;
        for (int64_t k = 0; k < n; ++k) {
            count += (k ? 2 : 1) * (band - k) * (band + k + 1) / 2;
        }
        return count;
    }
    // The same within the order n, of those below m.
    int64_t before(int64_t n, int64_t m) const {
        int64_t count = 0;
        for (int64_t k = 0; k < m; ++k) count += (n ? 2 : 1) * (band - (k > n ? k : n));
        return count;
    }
    // Of a coefficient in a spectrum.
    int64_t row(int64_t l, int64_t m, int64_t n) const {
        return l * (4 * l * l - 1) / 3 + (2 * l + 1) * (m + l) + n + l;
    }
};

// cos(k angle) and +-sin(k angle), k < band, for the angles up to pi: entry (angle, k).
template <class T>
struct Waves {
    const T *cos, *sin;
};

// All that one thread needs, in one piece of memory. Columns come in blocks of `W`.
template <class T, int V>
struct Job {
    static constexpr int64_t W = V * lanes<T>(), W2 = 2 * W, kBetas = 16 / V;
    Sizes s;
    Waves<T> alpha, gamma;
    T *z, *y, *x, *even, *odd, *a;

    // Steps of beta and of alpha; odd, as powers of two would share few lines of the cache.
    static int64_t z_step(const Sizes& s) { return (2 * s.band * s.band + 1) * W2; }
    static int64_t y_step(const Sizes& s) { return (s.band | 1) * W2; }
    static int64_t scratch(const Sizes& s) {
        return 4 * s.angles() * s.band + kBetas * z_step(s) + s.size * y_step(s) +
               (s.size + 2 * s.angles() + 2 * kBetas) * W2;
    }

    // z[beta][n][cos or sin of m alpha][cos, sin of n gamma] and y[alpha][n][cos, sin of n gamma]
    Job(const Sizes& s, const T* alpha_table, const T* gamma_table, T* memory) : s(s) {
        const int64_t b = s.band, count = s.angles() * b;
        T* waves[4];
        const auto take = [&](int64_t entries) {
            T* const start = memory;
            memory += entries;
            return start;
        };
        z = take(kBetas * z_step(s));
        y = take(s.size * y_step(s));
        x = take(s.size * W2);
        even = take(s.angles() * W2);
        odd = take(s.angles() * W2);
        a = take(2 * W2 * kBetas);
        for (T*& part : waves) part = take(count);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t angle = i / b, k = i % b;
            waves[0][i] = alpha_table[angle * 2 * b + k];
            waves[1][i] = alpha_table[angle * 2 * b + b + k];
            const T* row = gamma_table + angle * (2 * b - 1);  // 1, cos 1, sin 1, cos 2, ...
            waves[2][i] = k ? row[2 * k - 1] : row[0];
            waves[3][i] = k ? row[2 * k] : T(0);
        }
        alpha = {waves[0], waves[1]};
        gamma = {waves[2], waves[3]};
    }

    // out[angle] = sum_k cos e[k] + sin o[k], `width` numbers for each; put(angle, j, value).
    template <class Put>
    void sum_waves(Waves<T> w, const T* e, const T* o, int64_t step, int64_t width,
                   const Put& put) const {
        const Table<T> c{w.cos, s.band, 1}, d{w.sin, s.band, 1};
        for_tiles<T>(s.angles(), width, [&](auto shape, int64_t i, int64_t j) {
            constexpr int R = decltype(shape)::rows, N = decltype(shape)::vectors;
            Vector<T> even[R][N], odd[R][N];
            multiply<T, R, N>({c.at(i, 0), c.row, 1}, e + j, step, s.band, even);
            multiply<T, R, N>({d.at(i, 0), d.row, 1}, o + j, step, s.band, odd);
            for (int r = 0; r < R; ++r) {
                for (int v = 0; v < N; ++v) {
                    const int64_t angle = i + r, at = j + v * lanes<T>();
                    put(angle, at, Vector<T>(even[r][v] + odd[r][v]));
                    if (angle && 2 * angle != s.size) {
                        put(s.size - angle, at, Vector<T>(even[r][v] - odd[r][v]));
                    }
                }
            }
        });
    }

    // The transpose: e[k] = sum over all angles of cos in[angle], o[k] = sum of +-sin in[angle].
    void find_waves(Waves<T> w, const T* in, int64_t step, int64_t width, T* e, T* o,
                    int64_t out_step) const {
        for (int64_t angle = 0; angle < s.angles(); ++angle) {
            const T* const here = in + angle * step;
            const bool alone = !angle || 2 * angle == s.size;  // it is its own mirror image
            const T* const there = alone ? here : in + (s.size - angle) * step;
            for (int64_t j = 0; j < width; ++j) {
                even[angle * width + j] = alone ? here[j] : here[j] + there[j];
                odd[angle * width + j] = alone ? T(0) : here[j] - there[j];
            }
        }
        product<T>(s.band, width, s.angles(), {w.cos, 1, s.band}, even, width, e, out_step);
        product<T>(s.band, width, s.angles(), {w.sin, 1, s.band}, odd, width, o, out_step);
    }

    // visit(m, n, d+, d-, count): the tables d[l][beta] for l = max(m, n), ..., `count` of them, with
    // d- null for n = 0.
    template <class Visit>
    void for_orders(const T* d, const Visit& visit) const {
        for (int64_t n = 0; n < s.band; ++n) {
            for (int64_t m0 = 0; m0 < s.band; m0 += s.chunk) {
                const int64_t m1 = m0 + s.chunk < s.band ? m0 + s.chunk : s.band;
                const int64_t l0 = m0 > n ? m0 : n, one = (s.band - l0) * s.size;
                for (int64_t m = m0; m < m1; ++m) {
                    const int64_t l = m > n ? m : n;
                    const T* const plus = d + (m - m0) * one + (l - l0) * s.size;
                    visit(m, n, plus, n ? plus + (m1 - m0) * one : nullptr, s.band - l);
                }
                d += (n ? 2 : 1) * (m1 - m0) * one;
            }
        }
    }

    static int64_t packed(const Sizes& s) { return s.before(s.band) * W2; }

    // The four coefficients (+-m, +-n) of degree l as amplitudes F+ and F- of waves, real and imaginary;
    // those with a sign that makes no difference are zeros, and for n = 0 there is F+ only.
    static void pack(const T* pp, const T* mp, const T* mm, const T* pm, T* plus, T* minus) {
        if (!minus) {
            std::memcpy(plus, pp, W * sizeof(T));
            std::memcpy(plus + W, mp, W * sizeof(T));
            return;
        }
        for (int64_t i = 0; i < W; ++i) {
            plus[i] = pp[i] + mm[i];
            plus[W + i] = mp[i] - pm[i];
            minus[i] = pp[i] - mm[i];
            minus[W + i] = -mp[i] - pm[i];
        }
    }

    // The transpose.
    static void unpack(const T* plus, const T* minus, T* pp, T* mp, T* mm, T* pm) {
        if (!minus) {
            std::memcpy(pp, plus, W * sizeof(T));
            std::memcpy(mp, plus + W, W * sizeof(T));
            return;
        }
        for (int64_t i = 0; i < W; ++i) {
            pp[i] = plus[i] + minus[i];
            mp[i] = plus[W + i] - minus[W + i];
            mm[i] = plus[i] - minus[i];
            pm[i] = -plus[W + i] - minus[W + i];
        }
    }

    // (F1) for angles beta from j0 on: z from the packed amplitudes.
    void amplitudes_to_z(const T* f, const T* d, int64_t j0, int64_t betas) {
        T* const a_minus = a + kBetas * W2;
        for_orders(d, [&](int64_t m, int64_t n, const T* plus, const T* minus, int64_t count) {
            T* const cosine = z + (n * 2 * s.band + m) * W2;
            T* const sine = cosine + s.band * W2;
            product<T>(betas, W2, count, {plus + j0, 1, s.size}, f, W2, a, W2);
            f += count * W2;
            if (n) {
                product<T>(betas, W2, count, {minus + j0, 1, s.size}, f, W2, a_minus, W2);
                f += count * W2;
            }
            for (int64_t j = 0; j < betas; ++j) {
                const T *p = a + j * W2, *q = a_minus + j * W2;
                T *c = cosine + j * z_step(s), *t = sine + j * z_step(s);
                for (int64_t i = 0; i < W; ++i) {
                    c[i] = n ? p[i] + q[i] : p[i];
                    c[W + i] = n ? p[W + i] + q[W + i] : T(0);
                    t[i] = n ? q[W + i] - p[W + i] : -p[W + i];
                    t[W + i] = n ? p[i] - q[i] : T(0);
                }
            }
        });
    }

    // Its transpose, added to the amplitudes unless they are the first.
    void z_to_amplitudes(T* f, const T* d, int64_t j0, int64_t betas, bool first) {
        T* const a_minus = a + kBetas * W2;
        for_orders(d, [&](int64_t m, int64_t n, const T* plus, const T* minus, int64_t count) {
            const T* const cosine = z + (n * 2 * s.band + m) * W2;
            const T* const sine = cosine + s.band * W2;
            for (int64_t j = 0; j < betas; ++j) {
                const T *c = cosine + j * z_step(s), *t = sine + j * z_step(s);
                T *p = a + j * W2, *q = a_minus + j * W2;
                for (int64_t i = 0; i < W; ++i) {
                    p[i] = n ? c[i] + t[W + i] : c[i];
                    p[W + i] = n ? c[W + i] - t[i] : -t[i];
                    q[i] = c[i] - t[W + i];
                    q[W + i] = c[W + i] + t[i];
                }
            }
            product<T>(count, W2, betas, {plus + j0, s.size, 1}, a, W2, f, W2, !first);
            f += count * W2;
            if (!n) return;
            product<T>(count, W2, betas, {minus + j0, s.size, 1}, a_minus, W2, f, W2, !first);
            f += count * W2;
        });
    }

    // The signal at one alpha and beta is a line of the cache for each gamma, far from each other, which
    // the processor does not foresee: it is asked for while the sums for angles before it are made.
    int64_t later(int64_t i) const { return i + 2 < s.size ? i + 2 : i; }
    template <int to_write>
    void fetch(const T* from, int64_t gamma_step) const {
        for (int64_t g = 0; g < s.size; ++g) {
            for (size_t byte = 0; byte < W * sizeof(T); byte += 64) {
                const char* const line = reinterpret_cast<const char*>(from + g * gamma_step);
                __builtin_prefetch(line + byte, to_write);
            }
        }
    }

    // (F2) and (F3) for one angle beta: from z to `out`, the signal at that angle and block.
    void z_to_signal(const T* z, T* out, int64_t wide) const {
        for (int64_t n = 0; n < s.band; ++n) {
            const T* const waves = z + n * 2 * s.band * W2;
            sum_waves(alpha, waves, waves + s.band * W2, W2, W2,
                      [&](int64_t angle, int64_t at, Vector<T> value) {
                          std::memcpy(y + angle * y_step(s) + n * W2 + at, &value, sizeof value);
                      });
        }
        const int64_t beta_step = s.inner, alpha_step = s.size * beta_step;
        for (int64_t i = 0; i < s.size; ++i) {
            const T* const waves = y + i * y_step(s);
            T* const to = out + i * alpha_step;
            fetch<1>(out + later(i) * alpha_step, s.size * alpha_step);
            sum_waves(gamma, waves, waves + W, W2, W,
                      [&](int64_t angle, int64_t at, Vector<T> value) {
                          T* const place = to + angle * s.size * alpha_step + at;
                          if (wide == W) {
                              std::memcpy(place, &value, sizeof value);
                          } else if (at < wide) {
                              const int64_t some = wide - at;
                              constexpr int64_t all = lanes<T>();
                              std::memcpy(place, &value, (some < all ? some : all) * sizeof(T));
                          }
                      });
        }
    }

    // Its transpose. `in` is a signal at one angle beta with the steps of all axes.
    void signal_to_z(const T* in, const int64_t* steps, T* z, int64_t wide) {
        if (wide < W) std::memset(x, 0, s.size * W * sizeof(T));
        for (int64_t i = 0; i < s.size; ++i) {
            const T* const from = in + i * steps[2];
            if (steps[4] == 1 && wide == W) {
                fetch<0>(in + later(i) * steps[2], steps[1]);
                for (int64_t g = 0; g < s.size; ++g) {
                    std::memcpy(x + g * W, from + g * steps[1], W * sizeof(T));
                }
            } else {
                for (int64_t k = 0; k < wide; ++k) {
                    const T* const column = from + k * steps[4];
                    for (int64_t g = 0; g < s.size; ++g) x[g * W + k] = column[g * steps[1]];
                }
            }
            T* const waves = y + i * y_step(s);
            find_waves(gamma, x, W, W, waves, waves + W, W2);
        }
        for (int64_t n = 0; n < s.band; ++n) {
            T* const waves = z + n * 2 * s.band * W2;
            find_waves(alpha, y + n * W2, y_step(s), W2, waves, waves + s.band * W2, W2);
        }
    }
};

}  // namespace eq
