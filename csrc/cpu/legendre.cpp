// The sums over degrees of the transforms of fields on the sphere, between spectra and waves over alpha,
// with the recursion of the amplitudes carried along in place of a table:  equinet/ops/legendre.py
//
//     P(beta) = sum_l d^l(beta) F+^l,    Q(beta) = sum_l d^l(beta) F-^l         for each m >= 0  (H3)
//     X^c = P + Q mirrored,  X^s = i (P - Q mirrored)                                            (H4)
//
// and the transpose. For n = 0 there are two sums over every other degree in their place, as in s2.cpp.
// A job is a block of columns with the orders of one vector. All is done in double precision.
#include "common/api.h"
#include "cpu/legendre.h"
#include "cpu/parallel.h"

namespace {

using eq::kOrders;
using eq::Orders;
using eq::Recursion;
using eq::Starts;
using Visit = Recursion::Visit;

// Sums over degrees that fit into the registers, with what they are made of.
#if defined(__AVX512F__)
constexpr int kSums = 16;
#else
constexpr int kSums = 8;
#endif
constexpr int kParts = 4;  // P and Q, or the sums over every other degree; real and imaginary

struct Sizes {
    int64_t band, rings, order, channels, batch, waves;
    double positive;  // factor of all orders m > 0
    int64_t columns() const { return channels * batch; }
    int64_t points() const { return order ? rings : (rings + 1) / 2; }  // angles of the recursion
    int64_t parts() const { return order ? 2 : 1; }
    int64_t chunks() const { return (band + kOrders - 1) / kOrders; }
    // Of the coefficient (l, m, n), n = 0 or +-order, in a spectrum.
    int64_t row(int64_t l, int64_t m, int64_t n) const {
        return order ? 2 * (l * l - order * order + l + m) + (n > 0) : l * l + l + m;
    }
    // Where the waves of a column start, those of its second part come after `rings` lines.
    int64_t field(int64_t column) const {
        return (column % batch * channels + column / batch) * parts() * rings * line();
    }
    int64_t line() const { return 2 * waves; }
};

// What is given besides the numbers that are transformed.
struct Given {
    Sizes s;
    const double *beta, *by_degree, *by_ring;
};

// All that one thread needs: up to kWidth columns in blocks of C, in double precision within the second
// cache. An amplitude F has S numbers, F+ and, if n > 0, F-, real and imaginary.
template <class T, bool spin, int C>
class Job {
    static constexpr int S = spin ? 4 : 2;
    static constexpr int64_t kWidth = spin ? 4 : 8;
    // Angles at a time. In an analysis their sums are read and stored at every degree: there are several
    // even where what they are made of does not fit into the registers.
    static constexpr int kSeveral = kSums / kParts / C, kAnalysed = kSeveral > 1 ? kSeveral : 4;

  public:
    static int64_t blocks_of(int64_t columns) {
        return ((columns < kWidth ? columns : kWidth) + C - 1) / C;
    }
    static int64_t groups(int64_t columns) { return (columns + kWidth - 1) / kWidth; }
    static int64_t scratch(const Sizes& s) {
        const int64_t each = Recursion::rows_of(s.band) * S + s.points() * kParts;
        return Recursion::scratch(s.points(), s.band) + blocks_of(s.columns()) * C * each * kOrders + 8;
    }

    Job(const Given& given, const Starts& starts, double* memory)
        : given_(given), s_(given.s), recursion_(memory, starts, given.beta) {
        const int64_t before = (Recursion::scratch(s_.points(), s_.band) + 7) / 8 * 8;
        z_ = reinterpret_cast<Orders*>(memory + before);
        f_ = z_ + blocks_of(s_.columns()) * C * s_.points() * kParts;
    }

    void begin(int64_t chunk, int64_t group) {
        m0_ = chunk * kOrders, c0_ = group * kWidth;
        wide_ = s_.columns() - c0_ < kWidth ? s_.columns() - c0_ : kWidth;
        blocks_ = blocks_of(wide_);
        for (int64_t i = 0; i < kOrders; ++i) {
            positive_[i] = m0_ + i ? s_.positive : 1;
            below_[i] = m0_ + i ? 1 : 0;
            alternating_[i] = i % 2 ? -1 : 1;
        }
        recursion_.begin(m0_);
    }

    void synthesis(const T* spectrum, T* waves) {
        pack(spectrum);
        clear(z_, blocks_ * C * s_.points() * kParts);
        recursion_.run<kSeveral>(blocks_, [&](auto shape, Visit at) {
            constexpr int R = decltype(shape)::rows;
            Orders* const z = z_ + (at.block * s_.points() + at.angle) * C * kParts;
            const Orders* f = f_ + (at.block * recursion_.rows() + at.row) * C * S;
            Orders sum[R][C * kParts];
            for (int r = 0; r < R; ++r) {
                for (int i = 0; i < C * kParts; ++i) sum[r][i] = z[r * C * kParts + i];
            }
            Recursion::Walk<R> walk(recursion_, at.angle);
            for (int64_t row = at.row; row < at.end; row += 2) {
                for (int odd = 0; odd < 2; ++odd, f += C * S) {
                    for (int i = 0; i < C * S; ++i) {
                        const Orders amplitude = f[i];
                        for (int r = 0; r < R; ++r) sum[r][to(i, odd)] += walk.p[r] * amplitude;
                    }
                    walk.step(row + odd);
                }
            }
            walk.keep();
            for (int r = 0; r < R; ++r) {
                for (int i = 0; i < C * kParts; ++i) z[r * C * kParts + i] = sum[r][i];
            }
        });
        for_pairs([&](int64_t j, int64_t c, int64_t at) { store(waves + at, j, c); });
        if (m0_ + kOrders >= s_.band) clear_rest(waves);
    }

    void analysis(const T* waves, T* spectrum) {
        for_pairs([&](int64_t j, int64_t c, int64_t at) { load(waves + at, j, c); });
        clear(f_, blocks_ * C * recursion_.rows() * S);
        recursion_.run<kAnalysed>(blocks_, [&](auto shape, Visit at) {
            constexpr int R = decltype(shape)::rows;
            const Orders* const z = z_ + (at.block * s_.points() + at.angle) * C * kParts;
            Orders* f = f_ + (at.block * recursion_.rows() + at.row) * C * S;
            Orders given[R][C * kParts];
            for (int r = 0; r < R; ++r) {
                for (int i = 0; i < C * kParts; ++i) given[r][i] = z[r * C * kParts + i];
            }
            Recursion::Walk<R> walk(recursion_, at.angle);
            for (int64_t row = at.row; row < at.end; row += 2) {
                for (int odd = 0; odd < 2; ++odd, f += C * S) {
                    for (int i = 0; i < C * S; ++i) {
                        Orders sum = f[i];
                        for (int r = 0; r < R; ++r) sum += walk.p[r] * given[r][to(i, odd)];
                        f[i] = sum;
                    }
                    walk.step(row + odd);
                }
            }
            walk.keep();
        });
        unpack(spectrum);
    }

  private:
    // Which sum the amplitude i of a row goes to.
    static constexpr int to(int i, int odd) {
        return spin ? i : i / S * kParts + 2 * odd + i % S;
    }

    static void clear(Orders* memory, int64_t count) { std::memset(memory, 0, count * sizeof(Orders)); }

    int64_t many() const { return s_.band - m0_ < kOrders ? s_.band - m0_ : kOrders; }
    Orders* sums(int64_t j, int64_t c) const {
        return z_ + ((c / C * s_.points() + j) * C + c % C) * kParts;
    }
    Orders* amplitudes(int64_t row, int64_t c) const {
        return f_ + ((c / C * recursion_.rows() + row) * C + c % C) * S;
    }

    // --- waves ----------------------------------------------------------------------------------------

    template <class Each>
    void for_pairs(const Each& visit) const {
        for (int64_t j = 0; j < s_.points(); ++j) {
            for (int64_t c = 0; c < wide_; ++c) visit(j, c, s_.field(c0_ + c) + j * s_.line() + 2 * m0_);
        }
    }

    // What all numbers of a ring are multiplied with.
    Orders factors(int64_t ring) const { return positive_ * given_.by_ring[ring]; }

    // Pairs of neighbours; where there are fewer orders, the rest is 0 or left alone.
    void read(const T* waves, Orders& re, Orders& im) const {
        T line[2 * kOrders] = {};
        std::memcpy(line, waves, 2 * many() * sizeof(T));
        for (int64_t i = 0; i < kOrders; ++i) re[i] = line[2 * i], im[i] = line[2 * i + 1];
    }
    void write(T* waves, Orders re, Orders im) const {
        T line[2 * kOrders];
        for (int64_t i = 0; i < kOrders; ++i) line[2 * i] = T(re[i]), line[2 * i + 1] = T(im[i]);
        std::memcpy(waves, line, 2 * many() * sizeof(T));
    }

    int64_t second(int64_t j) const {
        return (spin ? s_.rings : s_.rings - 1 - 2 * j) * s_.line();
    }

    void store(T* waves, int64_t j, int64_t c) const {
        const int64_t mirror = s_.rings - 1 - j;
        const Orders* const z = sums(j, c);
        const Orders* const other = spin ? sums(mirror, c) + 2 : z + 2;
        const Orders factor = factors(j);
        write(waves, factor * (z[0] + other[0]), factor * (z[1] + other[1]));
        if (spin) {
            write(waves + second(j), factor * (other[1] - z[1]), factor * (z[0] - other[0]));
        } else if (mirror != j) {
            const Orders turned = alternating_ * factors(mirror);
            write(waves + second(j), turned * (z[0] - other[0]), turned * (z[1] - other[1]));
        }
    }

    void load(const T* waves, int64_t j, int64_t c) const {
        const int64_t mirror = s_.rings - 1 - j;
        Orders* const z = sums(j, c);
        Orders* const other = spin ? sums(mirror, c) + 2 : z + 2;
        Orders re{}, im{}, re2{}, im2{};
        read(waves, re, im);
        if (spin) {
            read(waves + second(j), im2, re2);
            im2 = -im2;
        } else if (mirror != j) {
            read(waves + second(j), re2, im2);
        }
        const Orders factor = factors(j);
        const Orders turned = spin ? factor : alternating_ * factors(mirror);
        re *= factor, im *= factor, re2 *= turned, im2 *= turned;
        z[0] = re + re2, z[1] = im + im2, other[0] = re - re2, other[1] = im - im2;
    }

    // The orders m >= band, which are 0.
    void clear_rest(T* waves) const {
        const size_t size = 2 * (s_.waves - s_.band) * sizeof(T);
        for (int64_t c = 0; c < wide_; ++c) {
            for (int64_t j = 0; j < s_.parts() * s_.rings; ++j) {
                std::memset(waves + s_.field(c0_ + c) + j * s_.line() + 2 * s_.band, 0, size);
            }
        }
    }

    // --- spectra --------------------------------------------------------------------------------------

    // visit(row, l): for each degree.
    template <class Each>
    void for_degrees(const Each& visit) const {
        for (int64_t l = recursion_.lowest(); l < s_.band; ++l) visit(l - recursion_.lowest(), l);
    }

    // Of a degree the coefficients of m0 + i, or of -m0 - i, with the order n, for the column c; those that
    // are not there are 0 or left alone.
    int64_t first(int64_t l, int64_t side, int64_t n, int64_t c) const {
        return s_.row(l, side * m0_, n) * s_.columns() + c0_ + c;
    }
    int64_t step(int64_t side) const { return side * (spin ? 2 : 1) * s_.columns(); }
    int64_t many(int64_t l) const { return l - m0_ + 1 < many() ? l - m0_ + 1 : many(); }

    Orders read(const T* spectrum, int64_t l, int64_t side, int64_t n, int64_t c) const {
        const T* const from = spectrum + first(l, side, n, c);
        Orders found{};
        if (many(l) == kOrders) {
            for (int64_t i = 0; i < kOrders; ++i) found[i] = from[i * step(side)];
        } else {
            for (int64_t i = 0; i < many(l); ++i) found[i] = from[i * step(side)];
        }
        return side < 0 ? found * below_ : found;
    }
    void write(T* spectrum, int64_t l, int64_t side, int64_t n, int64_t c, Orders value) const {
        T* const to = spectrum + first(l, side, n, c);
        for (int64_t i = side < 0 && m0_ == 0; i < many(l); ++i) to[i * step(side)] = T(value[i]);
    }

    // (-1)^(l + m + n)
    Orders signs(int64_t l) const {
        return (l + m0_ + s_.order) % 2 ? -alternating_ : alternating_;
    }

    void pack(const T* spectrum) const {
        const int64_t n = s_.order;
        clear(f_, blocks_ * C * recursion_.rows() * S);
        for_degrees([&](int64_t row, int64_t l) {
            const Orders scale = recursion_.scale(row) * given_.by_degree[l];
            const Orders other = scale * signs(l);
            for (int64_t c = 0; c < wide_; ++c) {
                Orders* const f = amplitudes(row, c);
                const Orders pp = read(spectrum, l, 1, n, c), mp = read(spectrum, l, -1, n, c);
                if (!spin) {
                    f[0] = scale * pp, f[1] = -scale * mp;
                    continue;
                }
                const Orders pm = read(spectrum, l, 1, -n, c), mm = read(spectrum, l, -1, -n, c);
                f[0] = scale * (pp + mm), f[1] = scale * (pm - mp);
                f[2] = other * (pp - mm), f[3] = -other * (mp + pm);
            }
        });
    }

    void unpack(T* spectrum) const {
        const int64_t n = s_.order;
        for_degrees([&](int64_t row, int64_t l) {
            const Orders scale = recursion_.scale(row) * given_.by_degree[l], sign = signs(l);
            for (int64_t c = 0; c < wide_; ++c) {
                const Orders* const f = amplitudes(row, c);
                if (!spin) {
                    write(spectrum, l, 1, n, c, scale * f[0]);
                    write(spectrum, l, -1, n, c, -scale * f[1]);
                    continue;
                }
                const Orders e = sign * f[2], g = sign * f[3];
                write(spectrum, l, 1, n, c, scale * (f[0] + e));
                write(spectrum, l, -1, -n, c, scale * (f[0] - e));
                write(spectrum, l, -1, n, c, -scale * (f[1] + g));
                write(spectrum, l, 1, -n, c, scale * (f[1] - g));
            }
        });
    }

    const Given& given_;
    const Sizes& s_;
    Recursion recursion_;
    Orders *z_, *f_;
    Orders positive_{}, below_{}, alternating_{};  // 1 where m = 0; 0 where m = 0; (-1)^i
    int64_t m0_ = 0, c0_ = 0, wide_ = 0, blocks_ = 0;
};

// Multiplications below which a second thread costs more than it saves.
constexpr int64_t kGrain = 1 << 16;

// Every run of numbers k has low and high ones alike among the chunks k * stride: equal shares, as low
// orders have many degrees and are negligible nowhere.
int64_t stride_of(int64_t chunks) {
    int64_t stride = chunks * 618 / 1000;
    const auto divisor = [](int64_t a, int64_t b) {
        while (b) {
            const int64_t rest = a % b;
            a = b, b = rest;
        }
        return a;
    };
    while (divisor(chunks, stride) != 1) ++stride;
    return stride;
}

// run(job) for all blocks of columns and all orders.
template <class T, bool spin, int C, class Run>
int for_jobs(const Given& given, const Run& run) {
    using J = Job<T, spin, C>;
    const Sizes& s = given.s;
    const int64_t groups = J::groups(s.columns()), chunks = s.chunks(), stride = stride_of(chunks);
    const Scratch<double> common(Starts::scratch(s.points(), s.band));
    if (!common) return EQ_NO_MEMORY;
    const Starts starts(common.data(), given.beta, s.points(), s.band, s.order);
    const int64_t cost = s.points() * s.band * kOrders * 8 + 1;
    bool enough = true;
    parallel(groups * chunks, 1 + kGrain / cost, [&](int64_t begin, int64_t end) {
        const Scratch<double> memory(J::scratch(s));
        if (!memory) {
            enough = false;
            return;
        }
        J job(given, starts, memory.data());
        for (int64_t i = begin; i < end; ++i) {
            job.begin(i / groups * stride % chunks, i % groups);
            run(job);
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}

// The recursion is done once for each block of columns: of four, if there are so many.
template <class T, bool spin, class With>
int dispatch(const Given& given, const With& with) {
    const int64_t columns = given.s.columns();
    if (kSums >= 16 && columns > 2) return for_jobs<T, spin, kSums / kParts>(given, with);
    if (columns > 1) return for_jobs<T, spin, 2>(given, with);
    return for_jobs<T, spin, 1>(given, with);
}

template <class T, class With>
int transform(const Given& given, const With& with) {
    if (given.s.columns() <= 0) return EQ_OK;
    return given.s.order ? dispatch<T, true>(given, with) : dispatch<T, false>(given, with);
}

}  // namespace

// spectrum (rows, channels, batch) to waves (batch, channels, part, beta, m, real or imaginary).
EQ_OPERATOR legendre_synthesis(const T* spectrum, const double* beta, const double* by_degree,
                               const double* by_ring, T* waves, int64_t band, int64_t rings,
                               int64_t order, int64_t channels, int64_t batch, int64_t width,
                               double positive) {
    const Sizes s{band, rings, order, channels, batch, width, positive};
    const Given given{s, beta, by_degree, by_ring};
    return transform<T>(given, [&](auto& job) { job.synthesis(spectrum, waves); });
}
EQ_EXPORT(legendre_synthesis)

// The transpose.
EQ_OPERATOR legendre_analysis(const T* waves, const double* beta, const double* by_degree,
                              const double* by_ring, T* spectrum, int64_t band, int64_t rings,
                              int64_t order, int64_t channels, int64_t batch, int64_t width,
                              double positive) {
    const Sizes s{band, rings, order, channels, batch, width, positive};
    const Given given{s, beta, by_degree, by_ring};
    return transform<T>(given, [&](auto& job) { job.analysis(waves, spectrum); });
}
EQ_EXPORT(legendre_analysis)
