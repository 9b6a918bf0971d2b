// What is done along the edges of a block for one path.
//
// A kernel K is taken a few rows and columns at a time, for which sums stay in registers over all
// edges of a run. Rows are those of edge_paths.h; `scaled`, `turned` and w have (dim, wide) or (wide)
// for every edge of the block.
#pragma once
#include <type_traits>
#include <utility>

#include "cpu/edge_graph.h"
#include "cpu/edge_paths.h"

namespace eq {

constexpr int kColumns = 7, kHigh = 4;  // of a kernel at a time
#if defined(__AVX512F__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

// For each edge of a block, a row at its other end, that of an edge of the next block, and its kernels.
template <class T>
struct Ends {
    const T *row[kEdges], *next[kEdges], *kernel[kEdges];
};

// So many numbers from there on will be read soon, or written.
template <class T>
inline void ask_for(const T* memory, int64_t count) {
    for (int64_t i = 0; i < count; i += 64 / sizeof(T)) __builtin_prefetch(memory + i, 0, 2);
}
template <class T>
inline void ask_for(T* memory, int64_t count) {
    for (int64_t i = 0; i < count; i += 64 / sizeof(T)) __builtin_prefetch(memory + i, 1, 2);
}

// body(Shape<columns, 0>, first column) for all columns of a kernel.
template <class Body>
inline void for_columns(int64_t dim, const Body& body) {
    for (int64_t m = 0; m < dim; m += kColumns) {
        switch (dim - m) {
            case 1: body(Shape<1, 0>{}, m); break;
            case 2: body(Shape<2, 0>{}, m); break;
            case 3: body(Shape<3, 0>{}, m); break;
            case 4: body(Shape<4, 0>{}, m); break;
            case 5: body(Shape<5, 0>{}, m); break;
            case 6: body(Shape<6, 0>{}, m); break;
            default: body(Shape<kColumns, 0>{}, m);
        }
    }
}

// body(Shape<rows, 0>, first row) for all rows, at most so many at a time.
template <int most, class Body>
inline void for_rows(int64_t rows, const Body& body) {
    for (int64_t n = 0, some; n < rows; n += some) {
        const int64_t left = rows - n;
        some = left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
        if (most >= 4 && some == 4) body(Shape<most < 4 ? most : 4, 0>{}, n);
        if (most >= 3 && some == 3) body(Shape<most < 3 ? most : 3, 0>{}, n);
        if (most >= 2 && some == 2) body(Shape<most < 2 ? most : 2, 0>{}, n);
        if (some == 1) body(Shape<1, 0>{}, n);
    }
}

// A matrix whose rows are `row` apart or, where that is 0, whose columns are in panels of so many
// vectors as are taken at a time, one after the other, of `depth` rows each.
template <class T>
struct Sheet {
    T* data;
    int64_t row, depth;
    T* at(int64_t column) const { return data + (row ? column : column * depth); }
    int64_t step(int64_t width) const { return row ? row : width; }
};

// C = A B or C += A B, a column of tiles after the other: one panel of B stays in the first cache.
template <class T>
void multiply(int64_t rows, int64_t width, int64_t depth, Table<T> a, Sheet<const T> b, Sheet<T> c,
              bool add) {
    constexpr int tall = kTileRows * 2 / 3;
    const int64_t most = rows / tall * tall;
    for_channels<T>(width, [&](auto shape, int64_t j) {
        constexpr int V = decltype(shape)::vectors;
        const int64_t b_row = b.step(V * lanes<T>()), c_row = c.step(V * lanes<T>());
        for (int64_t i = 0; i < most; i += tall) {
            Vector<T> sum[tall][V];
            multiply<T, tall, V>({a.at(i, 0), a.row, a.step}, b.at(j), b_row, depth, sum);
#pragma GCC unroll 8
            for (int r = 0; r < tall; ++r) {
                T* const row = c.at(j) + (i + r) * c_row;
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) store<T>(row + v * lanes<T>(), sum[r][v], add);
            }
        }
        product<T>(rows - most, V * lanes<T>(), depth, {a.at(most, 0), a.row, a.step}, b.at(j),
                   b_row, c.at(j) + most * c_row, c_row, add);
    });
}

// z[n] += w K x, summed over the edges of a run.
template <class T>
void turn(const Path& path, const Run& run, const Ends<T>& ends, const T* weights, T* z) {
    const int64_t dim = path.from.dim, wide = path.from.wide, line = path.place.line;
    for_columns(dim, [&](auto columns, int64_t m0) {
        for_rows<kHigh>(path.dim, [&](auto some, int64_t n0) {
            constexpr int D = decltype(columns)::rows, N = decltype(some)::rows, one = lanes<T>();
            const int64_t from = path.from.at + m0 * wide, entry = path.kernel + n0 * dim + m0;
            for_channels<T, 2 * D + 11 <= kRegisters ? 2 : 1>(wide, [&](auto shape, int64_t u) {
                constexpr int V = decltype(shape)::vectors;
                T* const to = z + path.place.first + n0 * line + u;
                Vector<T> sum[N][V];
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) {
#pragma GCC unroll 8
                    for (int v = 0; v < V; ++v) sum[n][v] = load(to + n * line + v * one);
                }
                for (int64_t e = run.begin; e < run.end; ++e) {
                    const T *const x = ends.row[e] + from + u, *kernel = ends.kernel[e] + entry;
                    Vector<T> right[D][V], w[V];
#pragma GCC unroll 8
                    for (int v = 0; v < V; ++v) {
                        w[v] = load(weights + e * wide + u + v * one);
#pragma GCC unroll 8
                        for (int d = 0; d < D; ++d) right[d][v] = load(x + d * wide + v * one);
                    }
#pragma GCC unroll 8
                    for (int n = 0; n < N; ++n, kernel += dim) {
#pragma GCC unroll 8
                        for (int v = 0; v < V; ++v) {
                            Vector<T> turned = kernel[0] * right[0][v];
#pragma GCC unroll 8
                            for (int d = 1; d < D; ++d) turned += kernel[d] * right[d][v];
                            sum[n][v] += w[v] * turned;
                        }
                    }
                }
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) {
#pragma GCC unroll 8
                    for (int v = 0; v < V; ++v) store<T>(to + n * line + v * one, sum[n][v], false);
                }
            });
        });
    });
}

// turned = K x, of one edge.
template <class T>
void apply(const Path& path, const T* kernels, const T* x, T* turned) {
    const int64_t dim = path.from.dim, wide = path.from.wide;
    for_columns(dim, [&](auto columns, int64_t m0) {
        constexpr int D = decltype(columns)::rows;
        for_channels<T>(wide, [&](auto shape, int64_t u) {
            constexpr int V = decltype(shape)::vectors, one = lanes<T>();
            Vector<T> right[D][V];
#pragma GCC unroll 8
            for (int d = 0; d < D; ++d) {
                const T* const line = x + path.from.at + (m0 + d) * wide + u;
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) right[d][v] = load(line + v * one);
            }
            for (int64_t n = 0; n < path.dim; ++n) {
                const T* const kernel = kernels + path.kernel + n * dim + m0;
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) {
                    Vector<T> sum = kernel[0] * right[0][v];
#pragma GCC unroll 8
                    for (int d = 1; d < D; ++d) sum += kernel[d] * right[d][v];
                    store<T>(turned + n * wide + u + v * one, sum, m0 > 0);
                }
            }
        });
    });
}

// Of E = sum v w K x: to_x += K^T w v, summed over the edges of a run, whose x it is, to_w = v K x
// and scaled = w v. The components of v are `line` apart from `first` on.
template <class T>
void descend(const Path& path, const Run& run, const Ends<T>& ends, int64_t first, int64_t line,
             const T* x, const T* weights, T* to_x, T* to_w, T* scaled) {
    const int64_t rows = path.dim, dim = path.from.dim, wide = path.from.wide;
    for_columns(dim, [&](auto columns, int64_t m0) {
        constexpr int D = decltype(columns)::rows, most = D * 4 + 14 <= kRegisters ? 2 : 1;
        const int64_t start = path.from.at + m0 * wide;
        for_channels<T, most>(wide, [&](auto shape, int64_t u) {
            constexpr int V = decltype(shape)::vectors, one = lanes<T>();
            Vector<T> right[D][V], down[D][V];
#pragma GCC unroll 8
            for (int d = 0; d < D; ++d) {
#pragma GCC unroll 8
                for (int k = 0; k < V; ++k) {
                    right[d][k] = load(x + start + d * wide + u + k * one);
                    down[d][k] = load(to_x + start + d * wide + u + k * one);
                }
            }
            for (int64_t e = run.begin; e < run.end; ++e) {
                const int64_t below = dim, across = line, along = wide, last = rows;
                const T *kernel = ends.kernel[e] + path.kernel + m0, *v = ends.row[e] + first + u;
                const T* next = ends.next[e] + first + u;
                T* to = scaled + e * last * along + u;
                Vector<T> w[V], of_w[V] = {};
                for (int k = 0; k < V; ++k) w[k] = load(weights + e * along + u + k * one);
                for (int64_t n = 0; n < last; ++n) {
#pragma GCC unroll 8
                    for (int k = 0; k < V; ++k) {
                        __builtin_prefetch(next + k * one, 0, 2);
                        const Vector<T> own = load(v + k * one), given = w[k] * own;
                        store<T>(to + k * one, given, false);
                        Vector<T> turned = kernel[0] * right[0][k];
                        down[0][k] += kernel[0] * given;
#pragma GCC unroll 8
                        for (int d = 1; d < D; ++d) {
                            turned += kernel[d] * right[d][k];
                            down[d][k] += kernel[d] * given;
                        }
                        of_w[k] += own * turned;
                    }
                    kernel += below;
                    v += across;
                    next += across;
                    to += along;
                }
#pragma GCC unroll 8
                for (int k = 0; k < V; ++k) {
                    store<T>(to_w + e * along + u + k * one, of_w[k], m0 > 0);
                }
            }
#pragma GCC unroll 8
            for (int d = 0; d < D; ++d) {
#pragma GCC unroll 8
                for (int k = 0; k < V; ++k) {
                    store<T>(to_x + start + d * wide + u + k * one, down[d][k], false);
                }
            }
        });
    });
}

// Lanes whose number has the bit `step` are those of b, the others those of a, each with the one that
// differs in that bit added.
template <class T, int step, int... I>
inline Vector<T> fold(Vector<T> a, Vector<T> b, std::integer_sequence<int, I...>) {
    constexpr int count = sizeof...(I);
#if defined(__clang__)
    return __builtin_shufflevector(a, b, (I & step ? count + I - step : I)...) +
           __builtin_shufflevector(a, b, (I & step ? count + I : I + step)...);
#else
    using Number = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Number Lanes __attribute__((vector_size(kVectorBytes)));
    return __builtin_shuffle(a, b, Lanes{(I & step ? count + I - step : I)...}) +
           __builtin_shuffle(a, b, Lanes{(I & step ? count + I : I + step)...});
#endif
}

// Lane i of the result is the sum of the lanes of vector i.
template <class T, int count, int step = 1>
inline Vector<T> added_lanes(const Vector<T>* vectors) {
    if constexpr (step == lanes<T>()) {
        return vectors[0];
    } else {
        constexpr int half = (count + 1) / 2;
        Vector<T> sums[half];
#pragma GCC unroll 8
        for (int i = 0; i < half; ++i) {
            const int other = 2 * i + 1 < count ? 2 * i + 1 : 2 * i;
            sums[i] = fold<T, step>(vectors[2 * i], vectors[other],
                                    std::make_integer_sequence<int, lanes<T>()>{});
        }
        return added_lanes<T, half, 2 * step>(sums);
    }
}

// out[i] = the sum of the lanes of vector i.
template <class T, int count>
inline void add_lanes(const Vector<T>* vectors, T* out) {
    constexpr int some = count < lanes<T>() ? count : lanes<T>();
    const Vector<T> sums = added_lanes<T, some>(vectors);
    std::memcpy(out, &sums, some * sizeof(T));
    if constexpr (count > some) add_lanes<T, count - some>(vectors + some, out + some);
}

// to_kernels[edge][n][m] = the sum of scaled[n] x[m] over the channels, for the edges of a run.
template <class T>
void outer(const Path& path, const Run& run, const int64_t* edges, int64_t entries, const T* scaled,
           const T* x, T* to_kernels) {
    const int64_t dim = path.from.dim, wide = path.from.wide;
    for_columns(dim, [&](auto columns, int64_t m0) {
        constexpr int D = decltype(columns)::rows, fit = (kRegisters - 2 - D) / D;
        for_rows<fit < kHigh ? fit : kHigh>(path.dim, [&](auto some, int64_t n0) {
            constexpr int N = decltype(some)::rows;
            const int64_t across = wide, below = dim, width = entries, last = run.end;
            const int64_t apart = path.dim * across, *const numbers = edges;
            const T *left = scaled + run.begin * apart + n0 * across;
            const T *const right = x + path.from.at + m0 * across;
            T* const first = to_kernels + path.kernel + n0 * below + m0;
            for (int64_t e = run.begin; e < last; ++e, left += apart) {
                Vector<T> sum[N * D] = {};
                for (int64_t u = 0; u < across; u += lanes<T>()) {
                    Vector<T> columns[D];
#pragma GCC unroll 8
                    for (int d = 0; d < D; ++d) columns[d] = load(right + d * across + u);
#pragma GCC unroll 8
                    for (int n = 0; n < N; ++n) {
                        const Vector<T> row = load(left + n * across + u);
#pragma GCC unroll 8
                        for (int d = 0; d < D; ++d) sum[n * D + d] += row * columns[d];
                    }
                }
                T* const out = first + numbers[e] * width;
                if (below == D) {
                    add_lanes<T, N * D>(sum, out);
                } else {
                    for (int n = 0; n < N; ++n) add_lanes<T, D>(sum + n * D, out + n * below);
                }
            }
        });
    });
}

// scaled = the sum of h[f] v[f] over the features, and of_h[f] += v[f] turned, lane by lane, of one
// edge.
template <class T>
void gather(const Path& path, int64_t features, const T* h, const T* v, const T* turned, T* scaled,
            T* of_h) {
    constexpr int one = lanes<T>();
    const int64_t wide = path.from.wide, group = path.place.group;
    if (!features) zero(scaled, path.dim * wide);
    for_rows<kHigh>(features, [&](auto some, int64_t f0) {
        constexpr int F = decltype(some)::rows;
        Vector<T> sum[F];
#pragma GCC unroll 8
        for (int f = 0; f < F; ++f) sum[f] = load(of_h + (f0 + f) * one);
        for (int64_t n = 0; n < path.dim; ++n) {
            const T* const own = v + path.place.first + n * path.place.line + f0 * group;
            for (int64_t u = 0; u < wide; u += one) {
                const Vector<T> other = load(turned + n * wide + u);
                Vector<T> total{};
#pragma GCC unroll 8
                for (int f = 0; f < F; ++f) {
                    const Vector<T> value = load(own + f * group + u);
                    total += h[f0 + f] * value;
                    sum[f] += value * other;
                }
                store<T>(scaled + n * wide + u, total, f0 > 0);
            }
        }
#pragma GCC unroll 8
        for (int f = 0; f < F; ++f) store<T>(of_h + (f0 + f) * one, sum[f], false);
    });
}

}  // namespace eq
