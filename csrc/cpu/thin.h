// Products that are too thin for gemm.h: few terms to a sum, or few results of long sums.
//
// Rows lie in memory as they are wanted, so nothing is packed, and all of it stays in the cache. The
// last vector of a row overlaps the one before, so that no row has a slow end.
#pragma once
#include "cpu/columns.h"

namespace eq {

// V vectors of R rows of C = A B.
template <int R, int V, class T>
inline __attribute__((always_inline)) void strip(Table<T> a, const T* b, int64_t b_row, T* c,
                                                 int64_t c_row, int64_t k) {
    Vector<T> sum[R][V];
    multiply<T, R, V>(a, b, b_row, k, sum);
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) store<T>(c + r * c_row + v * lanes<T>(), sum[r][v], false);
    }
}

template <int R, class T>
void rows(int64_t n, int64_t k, Table<T> a, const T* b, int64_t b_row, T* c, int64_t c_row) {
    constexpr int one = lanes<T>(), two = 2 * one;
    if (n >= two) {
        for (int64_t x = 0; x < n; x += two) {
            const int64_t at = x + two <= n ? x : n - two;
            strip<R, 2>(a, b + at, b_row, c + at, c_row, k);
        }
    } else if (n >= one) {
        for (int64_t x = 0; x < n; x += one) {
            const int64_t at = x + one <= n ? x : n - one;
            strip<R, 1>(a, b + at, b_row, c + at, c_row, k);
        }
    } else {
        for (int r = 0; r < R; ++r) {
            for (int64_t x = 0; x < n; ++x) {
                T sum = 0;
                for (int64_t s = 0; s < k; ++s) sum += *a.at(r, s) * b[s * b_row + x];
                c[r * c_row + x] = sum;
            }
        }
    }
}

// C = A B for m x k and k x n with a small k. The entries of a row of B and of C are neighbours; C
// is neither A nor B.
template <class T>
void combine(int64_t m, int64_t n, int64_t k, Table<T> a, const T* b, int64_t b_row, T* c,
             int64_t c_row) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4, a.data += 4 * a.row) rows<4>(n, k, a, b, b_row, c + i * c_row, c_row);
    for (; i < m; ++i, a.data += a.row) rows<1>(n, k, a, b, b_row, c + i * c_row, c_row);
}

// A row in memory: `count` runs of `run` neighbours, `apart` from each other.
template <class T>
struct Runs {
    const T* data;
    int64_t row, apart;
};

// The sum of the entries, in pairs.
template <class T>
inline T total(Vector<T> value) {
    T entries[lanes<T>()];
    std::memcpy(entries, &value, sizeof value);
    for (int half = lanes<T>() / 2; half; half /= 2) {
        for (int i = 0; i < half; ++i) entries[i] += entries[i + half];
    }
    return entries[0];
}

// R x S results of `inner`.
template <int R, int S, class T>
void tile(int64_t count, int64_t run, Runs<T> a, Runs<T> b, T* c, int64_t c_row, int64_t c_column) {
    constexpr int one = lanes<T>();
    Vector<T> sum[R][S] = {};
    T rest[R][S] = {};
    for (int64_t o = 0; o < count; ++o, a.data += a.apart, b.data += b.apart) {
        int64_t x = 0;
        for (; x + one <= run; x += one) {
            Vector<T> left[R];
            for (int r = 0; r < R; ++r) left[r] = load(a.data + r * a.row + x);
            for (int s = 0; s < S; ++s) {
                const auto right = load(b.data + s * b.row + x);
                for (int r = 0; r < R; ++r) sum[r][s] += left[r] * right;
            }
        }
        for (; x < run; ++x) {
            for (int r = 0; r < R; ++r) {
                for (int s = 0; s < S; ++s) {
                    rest[r][s] += a.data[r * a.row + x] * b.data[s * b.row + x];
                }
            }
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int s = 0; s < S; ++s) {
            c[r * c_row + s * c_column] = rest[r][s] + total<T>(sum[r][s]);
        }
    }
}

template <int S, class T>
void columns(int64_t m, int64_t count, int64_t run, Runs<T> a, Runs<T> b, T* c, int64_t c_row,
             int64_t c_column) {
    int64_t i = 0;
    for (; i + 2 <= m; i += 2, a.data += 2 * a.row, c += 2 * c_row) {
        tile<2, S>(count, run, a, b, c, c_row, c_column);
    }
    if (i < m) tile<1, S>(count, run, a, b, c, c_row, c_column);
}

// C = A B^T for m x k and n x k with small m and n, where k is `count` runs.
template <class T>
void inner(int64_t m, int64_t n, int64_t count, int64_t run, Runs<T> a, Runs<T> b, T* c,
           int64_t c_row, int64_t c_column) {
    int64_t j = 0;
    for (; j + 4 <= n; j += 4, b.data += 4 * b.row, c += 4 * c_column) {
        columns<4>(m, count, run, a, b, c, c_row, c_column);
    }
    for (; j < n; ++j, b.data += b.row, c += c_column) {
        columns<1>(m, count, run, a, b, c, c_row, c_column);
    }
}

}  // namespace eq
