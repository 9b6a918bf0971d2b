// Small matrix products on rows of columns that are in the cache: C = A B, where B and C have one row
// of a whole number of vectors for every index.
//
// Unlike gemm.h nothing is packed: A is a table that is read entry by entry, by its strides, and what
// is done with a tile of the result is up to the caller, so that the steps of a transform are fused.
#pragma once
#include <cstdint>
#include <cstring>

#include "cpu/gemm.h"

namespace eq {

constexpr int kRows = 4, kVectors = 2;  // of a tile

template <class T>
using Vector = typename Tile<T>::Vector;

template <class T>
constexpr int lanes() {
    return Tile<T>::lanes;
}

template <class T>
inline Vector<T> load(const T* memory) {
    Vector<T> value;
    std::memcpy(&value, memory, sizeof value);
    return value;
}

// Entry (i, k) lies at i * row + k * step.
template <class T>
struct Table {
    const T* data;
    int64_t row, step;
    const T* at(int64_t i, int64_t k) const { return data + i * row + k * step; }
};

// Rows and vectors of a tile, known to the compiler.
template <int R, int V>
struct Shape {
    static constexpr int rows = R, vectors = V;
};

// body(Shape, i, j) for every tile, rows from i and columns from j on, of a matrix of `rows` rows and
// `width` columns, a multiple of a vector. Tiles have `V` vectors, or one at the end, and `most` rows, 3 or
// 4, or one less where a single row would be left, which keeps the processor waiting.
template <class T, int most = kRows, int V = kVectors, class Body>
inline void for_tiles(int64_t rows, int64_t width, const Body& body) {
    const auto across = [&](auto row, int64_t i) {
        constexpr int R = decltype(row)::rows;
        int64_t j = 0;
        for (; j + V * lanes<T>() <= width; j += V * lanes<T>()) body(Shape<R, V>{}, i, j);
        for (; V > 1 && j < width; j += lanes<T>()) body(Shape<R, 1>{}, i, j);
    };
    for (int64_t i = 0; i < rows;) {
        const int64_t left = rows - i, over = left % most;
        const int64_t height = left < most ? left : over && over < most - 1 ? most - 1 : most;
        if (most == 4 && height == 4) across(Shape<4, 0>{}, i);
        if (height == 3) across(Shape<3, 0>{}, i);
        if (height == 2) across(Shape<2, 0>{}, i);
        if (height == 1) across(Shape<1, 0>{}, i);
        i += height;
    }
}

// sum = the product of R rows of A, from `a` on, and V vectors of B, from `b` on.
template <class T, int R, int V>
inline __attribute__((always_inline)) void multiply(Table<T> a, const T* b, int64_t b_step,
                                                    int64_t depth, Vector<T> (&sum)[R][V]) {
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) sum[r][v] = Vector<T>{};
    }
    const T* left = a.data;
#pragma GCC unroll 2
    for (int64_t k = 0; k < depth; ++k, left += a.step, b += b_step) {
        Vector<T> right[V];
        for (int v = 0; v < V; ++v) right[v] = load(b + v * lanes<T>());
        for (int r = 0; r < R; ++r) {
            const T entry = left[r * a.row];
            for (int v = 0; v < V; ++v) sum[r][v] += entry * right[v];
        }
    }
}

// C = A B, or C += A B.
template <class T>
inline void product(int64_t rows, int64_t width, int64_t depth, Table<T> a, const T* b,
                    int64_t b_step, T* c, int64_t c_step, bool add = false) {
    for_tiles<T>(rows, width, [&](auto shape, int64_t i, int64_t j) {
        constexpr int R = decltype(shape)::rows, V = decltype(shape)::vectors;
        Vector<T> sum[R][V];
        multiply<T, R, V>({a.at(i, 0), a.row, a.step}, b + j, b_step, depth, sum);
        for (int r = 0; r < R; ++r) {
            T* const row = c + (i + r) * c_step + j;
            for (int v = 0; v < V; ++v) store<T>(row + v * lanes<T>(), sum[r][v], add);
        }
    });
}

}  // namespace eq
