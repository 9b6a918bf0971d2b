// The amplitudes d^+_l(beta) of equinet/ops/s2.py by their recursion in l, without a table.
//
// In units s_l in which the recursion (W3) has the factor 1 before its last term,
//
//     p_{l+1} = (a_l cos(beta) + b_l) p_l - p_{l-1},    d^+_l = s_l p_l,
//     a_l = (2l + 1) k_l,    b_l = -a_l m n / (l (l + 1)),    k_l k_{l-1} = 1 / D_l,
//     D_l = (l^2 - m^2) (l^2 - n^2) / l^2,    s_{l+1} = s_l / (k_l sqrt(D_{l+1})).
//
// Near a pole cos(beta) = +-1 + y has lost the digits of y, which all degrees would feel alike: a_l y is
// added to b_l +- a_l.
//
// A vector holds neighbouring orders m at one angle, as they lie in spectra and in waves: nothing is
// summed across a vector, and the factors a and b serve several angles. A row is a degree, counted from
// the lowest of the vector.
#pragma once
#include <cmath>
#include <cstdint>

#include "cpu/columns.h"

namespace eq {

using Orders = Vector<double>;
constexpr int64_t kOrders = lanes<double>();  // of a vector

// value * 2^(512 exponent): near a pole amplitudes are far below the smallest double.
struct Number {
    double value;
    int64_t exponent;
    // Values are between 2^-256 and 2^256, so that the product of two is a double.
    Number times(double x, int64_t e = 0) const {
        const double y = value * x;
        if (y < 0x1p-256) return {y * 0x1p512, exponent + e - 1};
        if (y > 0x1p256) return {y * 0x1p-512, exponent + e + 1};
        return {y, exponent + e};
    }
    Number times(Number x) const { return times(x.value, x.exponent); }
    Number power(int64_t k) const {
        Number result{1, 0}, square = *this;
        for (; k; k /= 2, square = square.times(square)) {
            if (k % 2) result = result.times(square);
        }
        return result;
    }
};

// d^+ at the lowest degree h = max(m, n), where with k = min(m, n) it is, but for a sign and for a root
// of 2,
//
//     sqrt((2h)! / (h + k)! / (h - k)!) 2^(k - h) sin(beta)^(h - k) cos(beta / 2)^(2k)
struct Starts {
    int64_t points, band, order;
    Number *roots, *tails, *powers;  // by order; by angle; by angle, of sin(beta)^kOrders
    double *north, *south;  // by angle, y for either pole
    double *sines, *last;   // by angle, the powers below kOrders, and the last order that counts

    static int64_t powers_of(int64_t band) { return band / kOrders + 1; }
    static int64_t scratch(int64_t points, int64_t band) {
        return 2 * (band + points * (1 + powers_of(band))) + (3 + kOrders) * points;
    }

    Starts(double* memory, const double* beta, int64_t points, int64_t band, int64_t order)
        : points(points), band(band), order(order), roots(reinterpret_cast<Number*>(memory)),
          tails(roots + band), powers(tails + points),
          north(reinterpret_cast<double*>(powers + points * powers_of(band))), south(north + points),
          sines(south + points), last(sines + kOrders * points) {
        const double n = order;
        for (int64_t j = 0; j < points; ++j) {
            const double sine = std::sin(beta[j]), to_pole = std::sin(beta[j] / 2);
            const double from_pole = std::cos(beta[j] / 2);
            north[j] = -2 * to_pole * to_pole, south[j] = 2 * from_pole * from_pole;
            sines[j * kOrders] = 1;
            for (int64_t i = 1; i < kOrders; ++i) {
                sines[j * kOrders + i] = sines[j * kOrders + i - 1] * sine;
            }
            // Beyond the turning point m = band sin(beta) of the last degree, to which n adds less than
            // n, amplitudes fall as Ai((2 / m)^(1/3) x) or faster.
            last[j] = band * sine + 18 * std::cbrt(band * sine) + order + 10;
            tails[j] = half(beta[j]).power(order);
            const Number step = Number{sine, 0}.power(kOrders);
            Number power{1, 0};
            for (int64_t i = 0; i < powers_of(band); ++i, power = power.times(step)) {
                powers[j * powers_of(band) + i] = power;
            }
        }
        Number root{1, 0};
        for (double h = n; h < band; ++h) {
            roots[int64_t(h)] = root;
            root = root.times(std::sqrt((h + 1) * (h + 0.5) / ((h + 1 + n) * (h + 1 - n))));
        }
        root = {1, 0};
        for (double k = n; k > 0; --k) {
            root = root.times(std::sqrt((n + k) / (n + 1 - k)) / 2);
            roots[int64_t(k) - 1] = root;
        }
    }

    static Number half(double beta) { return Number{1, 0}.times(std::cos(beta / 2)).power(2); }

    Number at(int64_t j, double beta, int64_t m) const {
        const int64_t power = m > order ? m - order : order - m;
        return powers[j * powers_of(band) + power / kOrders]
            .times(sines[j * kOrders + power % kOrders])
            .times(roots[m])
            .times(m < order ? half(beta).power(m) : tails[j]);
    }
};

// The recursion of the orders from m0 on at all angles.
class Recursion {
  public:
    // Rows are taken in blocks, of which the coefficients stay in the first cache, and in steps, after
    // which it is asked whether an amplitude is still negligible.
    static constexpr int64_t kBlock = 32, kStep = 8;

    static int64_t rows_of(int64_t band) { return (band + kStep - 1) / kStep * kStep; }
    static int64_t scratch(int64_t points, int64_t band) {
        return (4 * rows_of(band) + 4 * points) * kOrders + 2 * points;
    }

    Recursion(double* memory, const Starts& starts, const double* beta)
        : starts_(starts), beta_(beta) {
        auto* at = reinterpret_cast<Orders*>(memory);
        const auto take = [&](int64_t count) { return at += count, at - count; };
        const int64_t rows = rows_of(starts.band);
        a_ = take(rows), north_ = take(rows), south_ = take(rows), scale_ = take(rows);
        p_ = take(starts.points), q_ = take(starts.points);
        next_p_ = take(starts.points), next_q_ = take(starts.points);
        exponent_ = reinterpret_cast<int64_t*>(at), from_ = exponent_ + starts.points;
    }

    // Sets rows() and s_l, which is 0 for degrees that an order does not have.
    void begin(int64_t m0) {
        m0_ = m0;
        rows_ = rows_of(starts_.band - lowest());
        factors();
    }
    int64_t lowest() const { return m0_ > starts_.order ? m0_ : starts_.order; }
    int64_t rows() const { return rows_; }
    const Orders& scale(int64_t row) const { return scale_[row]; }

    // Rows [row, end) in which the amplitudes of some angles, from `angle` on, are not negligible.
    struct Visit {
        int64_t block, angle, row, end;
    };

    // visit(Shape, Visit): all rows of all angles, `several` at a time or one, for each of `blocks` blocks
    // of columns, which have the same recursion. It walks through the rows and keeps the walk.
    template <int several, class Each>
    void run(int64_t blocks, const Each& visit) {
        for (int64_t j = 0; j < starts_.points; ++j) {
            exponent_[j] = m0_ > starts_.last[j] ? kNever : start(j);
        }
        for (int64_t begin = 0; begin < rows_; begin += kBlock) {
            const int64_t end = rows_ - begin < kBlock ? rows_ : begin + kBlock;
            wait(begin, end);
            for (int64_t block = 0; block < blocks; ++block) {
                for (int64_t j = 0; j < starts_.points;) {
                    if (several > 1 && together(j, several, begin)) {
                        visit(Shape<several, 0>{}, Visit{block, j, begin, end});
                        j += several;
                    } else {
                        if (from_[j] < end) visit(Shape<1, 0>{}, Visit{block, j, from_[j], end});
                        ++j;
                    }
                }
            }
            swap(p_, next_p_), swap(q_, next_q_);
        }
    }

    // The amplitudes of R angles from j on, while they go from row to row.
    template <int R>
    struct Walk {
        Recursion& r;
        const int64_t j;
        const Orders* const at_pole;
        Orders p[R], q[R];
        double y[R];
        Walk(Recursion& r, int64_t j) : r(r), j(j), at_pole(r.is_north(j) ? r.north_ : r.south_) {
            const double* const y_of = r.is_north(j) ? r.starts_.north : r.starts_.south;
            for (int i = 0; i < R; ++i) p[i] = r.p_[j + i], q[i] = r.q_[j + i], y[i] = y_of[j + i];
        }
        void step(int64_t row) {
            const Orders a = r.a_[row], b = at_pole[row];
            for (int i = 0; i < R; ++i) {
                const Orders next = (a * y[i] + b) * p[i] - q[i];
                q[i] = p[i], p[i] = next;
            }
        }
        Orders square() const {
            Orders sum{};
            for (int i = 0; i < R; ++i) sum += p[i] * p[i] + q[i] * q[i];
            return sum;
        }
        void keep() const {
            for (int i = 0; i < R; ++i) r.next_p_[j + i] = p[i], r.next_q_[j + i] = q[i];
        }
    };

  private:
    // What is below 2^-100 is negligible, which is 2^412 in units of 2^-512.
    static constexpr double kNegligible = 0x1p-100, kLarge = 0x1p512, kSmall = 0x1p-512;
    static constexpr double kRootOfHalf = 0.70710678118654752;
    static constexpr int64_t kNever = 1;  // in place of the exponent of what is 0

    static void swap(Orders*& a, Orders*& b) {
        Orders* const c = a;
        a = b, b = c;
    }

    static bool exceeds(Orders square, double limit) {
        double sum = 0;
        for (int64_t i = 0; i < kOrders; ++i) sum += square[i];
        return sum > limit * limit;
    }

    bool is_north(int64_t j) const { return 2 * j < starts_.points || !starts_.order; }

    bool together(int64_t j, int64_t several, int64_t begin) const {
        if (j + several > starts_.points) return false;
        for (int64_t i = j; i < j + several; ++i) {
            if (from_[i] != begin) return false;
        }
        return true;
    }

    void factors() {
        const double band = starts_.band, n = starts_.order, first = lowest();
        double k[kOrders] = {}, s[kOrders] = {};
        for (int64_t row = 0; row < rows_; ++row) {
            const double l = first + row, next = l + 1, square = l > 0 ? l * l : 1;
            for (int64_t i = 0; i < kOrders; ++i) {
                const double m = m0_ + i, start = m > n ? m : n;
                const double here = (l - m) * (l + m) * (l - n) * (l + n) / square;
                const double above = (next - m) * (next + m) * (next - n) * (next + n);
                const double root = next / std::sqrt(above > 0 ? above : 1);
                const double of_zeros = (m == 0) == (n == 0) ? 1 : n ? kRootOfHalf : 2 * kRootOfHalf;
                s[i] = l == start ? of_zeros : s[i];
                k[i] = l == start ? root : l > start ? 1 / (here * k[i]) : 0;
                scale_[row][i] = l >= start && m < band && l < band ? s[i] : 0;
                a_[row][i] = m < band ? (2 * l + 1) * k[i] : 0;
                const double shift = -a_[row][i] * m * n / (l > 0 ? l * next : 1);
                north_[row][i] = shift + a_[row][i], south_[row][i] = shift - a_[row][i];
                s[i] = l >= start ? s[i] * root / k[i] : 0;
            }
        }
    }

    // An order whose degrees start `gap` rows later has a = b = 0 until then, so that p goes through
    // v, 0, -v, 0 and again: it is set such that it comes to its start with 0 before it.
    int64_t start(int64_t j) {
        Number found[kOrders];
        int64_t exponent = INT64_MIN;
        const int64_t n = starts_.order;
        for (int64_t i = 0; i < kOrders; ++i) {
            const int64_t m = m0_ + i;
            found[i] = m < starts_.band ? starts_.at(j, beta_[j], m) : Number{0, 0};
            if (found[i].value > 0 && found[i].exponent > exponent) exponent = found[i].exponent;
        }
        Orders p{}, q{};
        for (int64_t i = 0; i < kOrders; ++i) {
            const int64_t less = exponent - found[i].exponent, m = m0_ + i;
            const double value = less > 1 ? 0 : less ? found[i].value * kSmall : found[i].value;
            const int64_t gap = m > lowest() ? m - lowest() : 0;
            const double sign = (gap + 1) / 2 % 2 ? -1 : 1;
            const double parity = m < n && (m + n) % 2 ? -1 : 1;
            (gap % 2 ? q : p)[i] = sign * parity * value;
        }
        if (exponent == 0 && !exceeds(p * p + q * q, kNegligible)) p *= kLarge, q *= kLarge, --exponent;
        p_[j] = p, q_[j] = q;
        return exponent == INT64_MIN ? kNever : exponent;
    }

    // Those that are negligible go on without sums, several together, and find from which row on they
    // are not; if that is none of these, `end`.
    void wait(int64_t begin, int64_t end) {
        constexpr int several = 4;
        for (int64_t j = 0; j < starts_.points;) {
            int64_t count = 0;
            while (count < several && j + count < starts_.points && exponent_[j + count] < 0) ++count;
            if (count == several) {
                wait<several>(j, begin, end);
                j += several;
            } else if (exponent_[j] < 0) {
                wait<1>(j++, begin, end);
            } else {
                from_[j] = exponent_[j] ? end : begin;
                ++j;
            }
        }
    }

    template <int R>
    void wait(int64_t j, int64_t begin, int64_t end) {
        Walk<R> walk(*this, j);
        for (int64_t row = begin; row < end; row += kStep) {
            const Walk<R> before = walk;
            for (int64_t i = 0; i < kStep; ++i) walk.step(row + i);
            if (!exceeds(walk.square(), kLarge * kNegligible)) continue;
            for (int i = 0; i < R; ++i) {
                p_[j + i] = before.p[i], q_[j + i] = before.q[i];
                if (R > 1) wait<1>(j + i, row, end);
            }
            if (R > 1) return;
            if (++exponent_[j] == 0) {
                p_[j] *= kSmall, q_[j] *= kSmall, from_[j] = row;
                return;
            }
            walk.p[0] *= kSmall, walk.q[0] *= kSmall;
        }
        for (int i = 0; i < R; ++i) from_[j + i] = end;
        walk.keep();
    }

    const Starts& starts_;
    const double* const beta_;
    int64_t m0_ = 0, rows_ = 0;
    Orders *a_, *north_, *south_, *scale_, *p_, *q_, *next_p_, *next_q_;
    int64_t *exponent_, *from_;
};

}  // namespace eq
