// One path along one edge: what a kernel and weights make of a vector in every channel.
//
// Rows are padded: for each component the channels in a row, a whole number of vectors of them. A
// kernel is taken a few columns at a time, for which x stays in registers.
#pragma once
#include "cpu/columns.h"

namespace eq {

template <class T>
constexpr int64_t padded(int64_t count) {
    return (count + lanes<T>() - 1) / lanes<T>() * lanes<T>();
}

// (channels, dim) from `start` in a row of a tensor, (dim, wide) from `at` in a padded row.
struct Block {
    int64_t channels, dim, wide, start, at;

    template <class T>
    void pack(const T* row, T* to) const {
        for (int64_t m = 0; m < dim; ++m) {
            T* const line = to + at + m * wide;
            for (int64_t u = 0; u < channels; ++u) line[u] = row[start + u * dim + m];
            for (int64_t u = channels; u < wide; ++u) line[u] = 0;
        }
    }
    template <class T>
    void unpack(const T* from, T* row) const {
        for (int64_t m = 0; m < dim; ++m) {
            const T* const line = from + at + m * wide;
            for (int64_t u = 0; u < channels; ++u) row[start + u * dim + m] = line[u];
        }
    }
    // The same of a matrix whose rows are `step` apart.
    template <class T>
    void pack_table(const T* table, int64_t step, T* to) const {
        for (int64_t m = 0; m < dim; ++m) {
            for (int64_t u = 0; u < channels; ++u) to[m * wide + u] = table[u * step + m];
            for (int64_t u = channels; u < wide; ++u) to[m * wide + u] = 0;
        }
    }
};

struct Path {
    Block from, to, weight;  // in rows of x, of z and of w
    int64_t kernel;          // where it starts in a row of K
};

constexpr int kColumns = 7;  // of a kernel at a time
#if defined(__AVX512F__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

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

// body(Shape<0, vectors>, first channel) for all channels, `most` vectors at a time.
template <class T, int most = kVectors, class Body>
inline void for_channels(int64_t wide, const Body& body) {
    int64_t u = 0;
    for (; u + most * lanes<T>() <= wide; u += most * lanes<T>()) body(Shape<0, most>{}, u);
    for (; u < wide; u += lanes<T>()) body(Shape<0, 1>{}, u);
}

// z[n] += w K x
template <class T>
inline void turn(const Path& path, const T* kernels, const T* x, const T* weights, T* z) {
    const int64_t rows = path.to.dim, dim = path.from.dim, wide = path.to.wide;
    for_columns(dim, [&](auto columns, int64_t m0) {
        constexpr int D = decltype(columns)::rows;
        const T* const from = x + path.from.at + m0 * wide;
        for_channels<T>(wide, [&](auto shape, int64_t u) {
            constexpr int V = decltype(shape)::vectors;
            Vector<T> right[D][V], w[V];
            for (int v = 0; v < V; ++v) {
                w[v] = load(weights + path.weight.at + u + v * lanes<T>());
                for (int d = 0; d < D; ++d) right[d][v] = load(from + d * wide + u + v * lanes<T>());
            }
            const T* kernel = kernels + path.kernel + m0;
            T* to = z + path.to.at + u;
            for (int64_t n = 0; n < rows; ++n, kernel += dim, to += wide) {
                for (int v = 0; v < V; ++v) {
                    Vector<T> sum = kernel[0] * right[0][v];
#pragma GCC unroll 8
                    for (int d = 1; d < D; ++d) sum += kernel[d] * right[d][v];
                    store<T>(to + v * lanes<T>(), w[v] * sum, true);
                }
            }
        });
    });
}

// out[i] = the sum of the lanes of vector i, in parts of 16 bytes and then in pairs.
template <class T>
inline void add_lanes(const T* vectors, int count, T* out) {
    constexpr int one = 16 / sizeof(T);
    typedef T Part __attribute__((vector_size(16)));
    T parts[kColumns * one];
    for (int i = 0; i < count; ++i) {
        Part sum = {};
        for (int j = 0; j < lanes<T>(); j += one) {
            Part some;
            std::memcpy(&some, vectors + i * lanes<T>() + j, sizeof some);
            sum += some;
        }
        std::memcpy(parts + i * one, &sum, sizeof sum);
    }
    for (int i = 0; i < count; ++i) {
        const T* const part = parts + i * one;
        out[i] = part[0] + part[1];
        for (int j = 2; j < one; j += 2) out[i] += part[j] + part[j + 1];
    }
}

// Numbers that `gradients` needs for kernels of so many rows.
template <class T>
constexpr int64_t room(int64_t rows) {
    return rows * kColumns * lanes<T>();
}

// Of E = sum v w K x: to_x += K^T w v, to_weights = v K x, to_kernels = w v x summed over channels.
template <class T>
inline void gradients(const Path& path, const T* kernels, const T* x, const T* weights, const T* v,
                      T* to_x, T* to_weights, T* to_kernels, T* room) {
    const int64_t rows = path.to.dim, dim = path.from.dim, wide = path.to.wide;
    for_columns(dim, [&](auto columns, int64_t m0) {
        constexpr int D = decltype(columns)::rows, most = D * 4 + 14 <= kRegisters ? 2 : 1;
        const int64_t start = path.from.at + m0 * wide;
        for_channels<T, most>(wide, [&](auto shape, int64_t u) {
            constexpr int V = decltype(shape)::vectors, one = lanes<T>();
            Vector<T> right[D][V], down[D][V], w[V], of_w[V] = {};
            for (int k = 0; k < V; ++k) {
                w[k] = load(weights + path.weight.at + u + k * one);
                for (int d = 0; d < D; ++d) {
                    right[d][k] = load(x + start + d * wide + u + k * one);
                    down[d][k] = load(to_x + start + d * wide + u + k * one);
                }
            }
            const T *kernel = kernels + path.kernel + m0, *given = v + path.to.at + u;
            T* outer = room;
            for (int64_t n = 0; n < rows; ++n, kernel += dim, given += wide, outer += D * one) {
                Vector<T> own[V], scaled[V], turned[V] = {};
                for (int k = 0; k < V; ++k) {
                    own[k] = load(given + k * one);
                    scaled[k] = w[k] * own[k];
                }
#pragma GCC unroll 8
                for (int d = 0; d < D; ++d) {
                    Vector<T> sum = scaled[0] * right[d][0];
                    for (int k = 1; k < V; ++k) sum += scaled[k] * right[d][k];
                    store<T>(outer + d * one, sum, u > 0);
                    for (int k = 0; k < V; ++k) {
                        turned[k] += kernel[d] * right[d][k];
                        down[d][k] += kernel[d] * scaled[k];
                    }
                }
                for (int k = 0; k < V; ++k) of_w[k] += own[k] * turned[k];
            }
            for (int k = 0; k < V; ++k) {
                store<T>(to_weights + path.weight.at + u + k * one, of_w[k], m0 > 0);
                for (int d = 0; d < D; ++d) {
                    store<T>(to_x + start + d * wide + u + k * one, down[d][k], false);
                }
            }
        });
        for (int64_t n = 0; n < rows; ++n) {
            add_lanes<T>(room + n * D * lanes<T>(), D, to_kernels + path.kernel + n * dim + m0);
        }
    });
}

}  // namespace eq
