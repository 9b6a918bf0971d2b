// The work on one block of columns of a transform on SO(3), with a few angles beta. so3.cpp says what is
// computed.
#pragma once
#include <cstdint>
#include <cstring>

#include "cpu/columns.h"

namespace eq {

struct Sizes {
    int64_t band, size, outer, inner, chunk;  // columns are (outer, inner)
    int64_t columns() const { return outer * inner; }
    int64_t angles() const { return size / 4 + 1; }  // those up to pi / 2
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

// cos(k angle) and +-sin(k angle), k < band, for the angles up to pi / 2: entry (angle, k).
template <class T>
struct Waves {
    const T *cos, *sin;
};

// A signal in memory: entry (gamma, alpha, column) at one angle beta.
template <class T>
struct Signal {
    T* data;
    int64_t gamma, alpha, column;  // steps
    T* at(int64_t g, int64_t a) const { return data + g * gamma + a * alpha; }
};

// Where a signal counts as 0: bytes 0 or 1 in the order in which a signal is computed, (outer, group of
// kGroup columns, beta, alpha, gamma, column).
constexpr int64_t kGroup = 16;

// A whole number as long as T: a row of a mask is made of them while it is worked with.
template <class T>
struct Whole;
template <>
struct Whole<float> {
    typedef int32_t type;
};
template <>
struct Whole<double> {
    typedef int64_t type;
};

// All that one thread needs, in one piece of memory. Columns come in blocks of `W`.
template <class T, int V>
struct Job {
    static constexpr int64_t W = V * lanes<T>(), W2 = 2 * W, kBetas = 16 / V;
    Sizes s;
    Waves<T> alpha, gamma;
    T *z, *y, *x, *folded, *a;
    typedef typename Whole<T>::type Bits;
    typedef Bits Mask __attribute__((vector_size(sizeof(Vector<T>))));
    Bits* bits;  // of one row, -1 where a number is kept

    // Steps of beta and of alpha; odd, as powers of two would share few lines of the cache.
    static int64_t z_step(const Sizes& s) { return (2 * s.band * s.band + 1) * W2; }
    static int64_t y_step(const Sizes& s) { return (s.band | 1) * W2; }
    static int64_t scratch(const Sizes& s) {
        return 4 * s.angles() * s.band + kBetas * z_step(s) + s.size * y_step(s) +
               (s.size + s.size / 2 + 4 * s.angles() + 2 * kBetas) * W2;
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
        folded = take(4 * s.angles() * W2);
        a = take(2 * W2 * kBetas);
        bits = reinterpret_cast<Bits*>(take(s.size * W));
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

    // visit(angle, f) for the angles that fold onto angle i: i, -i, pi - i, pi + i, each once, where f is
    // their place in the table
    //     cos k:  even k  + + + +,  odd k  + + - -;    sin k:  even k  + - - +,  odd k  + - + -
    template <class Visit>
    static void for_folded(int64_t size, int64_t i, const Visit& visit) {
        visit(i, 0);
        if (i) visit(size - i, 1);
        if (4 * i != size) visit(size / 2 - i, 2);
        if (i && 4 * i != size) visit(size / 2 + i, 3);
    }

    // put(angle, j, sum_k cos e[k] + sin o[k]) for vectors j of `width` numbers.
    template <class Put>
    void sum_waves(Waves<T> w, const T* e, const T* o, int64_t step, int64_t width,
                   const Put& put) const {
        const int64_t size = s.size, band = s.band, evens = (band + 1) / 2, odds = band / 2;
        for_tiles<T, 3, 1>(s.angles(), width, [&](auto shape, int64_t i, int64_t j) {
            constexpr int R = decltype(shape)::rows;
            Vector<T> sum[4][R][1];  // cos of even k, of odd k, sin of even k, of odd k
            const T *c = w.cos + i * band, *d = w.sin + i * band;
            multiply<T, R, 1>({c, band, 2}, e + j, 2 * step, evens, sum[0]);
            multiply<T, R, 1>({c + 1, band, 2}, e + step + j, 2 * step, odds, sum[1]);
            multiply<T, R, 1>({d, band, 2}, o + j, 2 * step, evens, sum[2]);
            multiply<T, R, 1>({d + 1, band, 2}, o + step + j, 2 * step, odds, sum[3]);
#pragma GCC unroll 3
            for (int r = 0; r < R; ++r) {
                const Vector<T> near = sum[0][r][0] + sum[1][r][0];
                const Vector<T> far = sum[0][r][0] - sum[1][r][0];
                const Vector<T> both = sum[2][r][0] + sum[3][r][0];
                const Vector<T> apart = sum[2][r][0] - sum[3][r][0];
                for_folded(size, i + r, [&](int64_t angle, int f) {
                    put(angle, j, f == 0   ? Vector<T>(near + both)
                                  : f == 1 ? Vector<T>(near - both)
                                  : f == 2 ? Vector<T>(far - apart)
                                           : Vector<T>(far + apart));
                });
            }
        });
    }

    // The transpose: e[k] = sum over all angles of cos get(angle), o[k] = sum of +-sin get(angle).
    template <class Get>
    void find_waves(Waves<T> w, int64_t width, const Get& get, T* e, T* o, int64_t out_step) const {
        const int64_t size = s.size, band = s.band, evens = (band + 1) / 2, odds = band / 2;
        const int64_t n = s.angles(), part = n * width;
        T* to = folded;
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < width; j += lanes<T>(), to += lanes<T>()) {
                Vector<T> f[4] = {};
                for_folded(size, i, [&](int64_t angle, int at) { f[at] = get(angle, j); });
                const Vector<T> near = f[0] + f[1], far = f[2] + f[3];
                const Vector<T> both = f[0] - f[1], apart = f[2] - f[3];
                const Vector<T> parts[4] = {near + far, near - far, both - apart, both + apart};
#pragma GCC unroll 4
                for (int p = 0; p < 4; ++p) store<T>(to + p * part, parts[p], false);
            }
        }
        const int64_t twice = 2 * out_step;
        product<T>(evens, width, n, {w.cos, 2, band}, folded, width, e, twice);
        product<T>(odds, width, n, {w.cos + 1, 2, band}, folded + part, width, e + out_step, twice);
        product<T>(evens, width, n, {w.sin, 2, band}, folded + 2 * part, width, o, twice);
        product<T>(odds, width, n, {w.sin + 1, 2, band}, folded + 3 * part, width, o + out_step,
                   twice);
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
    template <int to_write, class N>
    void fetch_later(const Signal<N>& signal, int64_t i) const {
        if (i + 2 >= s.size) return;
        for (int64_t g = 0; g < s.size; ++g) {
            const char* const line = reinterpret_cast<const char*>(signal.at(g, i + 2));
            for (size_t byte = 0; byte < W * sizeof(T); byte += 64) {
                __builtin_prefetch(line + byte, to_write);
            }
        }
    }

    // visit(byte of row i of a mask that begins at `mask`, its bits), for all gamma and the groups of
    // which the first `wide` columns are.
    template <class Byte, class Visit>
    void for_mask(Byte* mask, int64_t i, int64_t wide, const Visit& visit) const {
        constexpr int64_t some = W < kGroup ? W : kGroup;
        for (int64_t c = 0; c < wide; c += some, mask += s.size * s.size * s.size * kGroup) {
            for (int64_t g = 0; g < s.size; ++g) {
                Byte* const bytes = mask + (i * s.size + g) * kGroup;
                Bits* const row = bits + g * W + c;
                for (int64_t k = 0; k < some; ++k) visit(bytes[k], row[k]);
            }
        }
    }
    void read_mask(const uint8_t* zero, int64_t i, int64_t wide) const {
        for_mask(zero, i, wide, [](const uint8_t& byte, Bits& kept) { kept = Bits(byte) - 1; });
    }
    void write_mask(uint8_t* negative, int64_t i, int64_t wide) const {
        for_mask(negative, i, wide, [](uint8_t& byte, const Bits& kept) { byte = uint8_t(kept + 1); });
    }
    Vector<T> kept(Vector<T> value, int64_t gamma, int64_t j) const {
        Mask mask;
        std::memcpy(&mask, bits + gamma * W + j, sizeof mask);
        return (Vector<T>)((Mask)value & mask);
    }

    // (F2) and (F3) for one angle beta: from z to the signal, which is 0 where `zero` says so; or it is
    // rectified, which `negative` is told. Both may be null.
    void z_to_signal(const T* z, Signal<T> out, const uint8_t* zero, uint8_t* negative,
                     int64_t wide) const {
        const int64_t step = y_step(s);
        for (int64_t n = 0; n < s.band; ++n) {
            const T* const waves = z + n * 2 * s.band * W2;
            T* const to = y + n * W2;
            sum_waves(alpha, waves, waves + s.band * W2, W2, W2,
                      [=](int64_t angle, int64_t j, Vector<T> value) {
                          store<T>(to + angle * step + j, value, false);
                      });
        }
        for (int64_t i = 0; i < s.size; ++i) {
            const T* const waves = y + i * step;
            fetch_later<1>(out, i);
            if (zero) read_mask(zero, i, wide);
            sum_waves(gamma, waves, waves + W, W2, W,
                      [=](int64_t angle, int64_t j, Vector<T> value) {
                          if (negative) {  // what is no number is kept
                              const Mask above = ~(value <= 0);
                              std::memcpy(bits + angle * W + j, &above, sizeof above);
                              value = (Vector<T>)((Mask)value & above);
                          }
                          if (zero) value = kept(value, angle, j);
                          T* const place = out.at(angle, i) + j;
                          if (wide - j >= lanes<T>()) {
                              store<T>(place, value, false);
                          } else if (j < wide) {
                              std::memcpy(place, &value, (wide - j) * sizeof(T));
                          }
                      });
            if (negative) write_mask(negative, i, wide);
        }
    }

    // Its transpose; the signal counts as 0 where `zero` says so.
    void signal_to_z(Signal<const T> in, const uint8_t* zero, T* z, int64_t wide) {
        const int64_t step = y_step(s);
        for (int64_t i = 0; i < s.size; ++i) {
            T* const waves = y + i * step;
            if (zero) read_mask(zero, i, wide);
            const auto find = [&](Signal<const T> from, int64_t alpha) {
                find_waves(gamma, W,
                           [=](int64_t angle, int64_t j) {
                               const Vector<T> value = load(from.at(angle, alpha) + j);
                               return zero ? kept(value, angle, j) : value;
                           },
                           waves, waves + W, W2);
            };
            if (in.column == 1 && wide == W) {
                fetch_later<0>(in, i);
                find(in, i);
                continue;
            }
            if (wide < W) std::memset(x, 0, s.size * W * sizeof(T));
            if (in.column == 0 && wide == W) {  // the gradient of an integral
                for (int64_t g = 0; g < s.size; ++g) {
                    const T value = *in.at(g, i);
                    for (int64_t k = 0; k < W; ++k) x[g * W + k] = value;
                }
            } else {
                for (int64_t k = 0; k < wide; ++k) {
                    for (int64_t g = 0; g < s.size; ++g) x[g * W + k] = in.at(g, i)[k * in.column];
                }
            }
            find({x, W, 0, 1}, 0);
        }
        for (int64_t n = 0; n < s.band; ++n) {
            T* const waves = z + n * 2 * s.band * W2;
            const T* const from = y + n * W2;
            find_waves(alpha, W2,
                       [=](int64_t angle, int64_t j) { return load(from + angle * step + j); },
                       waves, waves + s.band * W2, W2);
        }
    }
};

}  // namespace eq
