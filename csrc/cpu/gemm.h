// The matrix product that the operators share: C = A B, or C += A B.
//
// Every axis of a matrix may be a pair of axes of a tensor, so that a contraction of tensors is a
// product without a copy of either: the packing of panels, which every fast product does, follows
// the strides. Serial and deterministic; the callers run several products side by side.
//
// Design as in Goto and van de Geijn (2008): a register tile of MR x NR sums over k, panels of A
// stay in the second cache, a panel of B in the first, and is packed once for all of A.
#pragma once
#include <cstdint>
#include <cstring>

namespace eq {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kTileRows = 12;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32, kTileRows = 6;
#else
constexpr int kVectorBytes = 16, kTileRows = 6;
#endif

template <class T>
struct Tile {
    static constexpr int lanes = kVectorBytes / sizeof(T);
    static constexpr int rows = kTileRows, columns = 2 * lanes;
    // Blocks of k, of rows and of columns that are packed at a time: 128 kB of A, 512 kB of B.
    static constexpr int64_t depth = 1024 / sizeof(T), height = rows * (128 / rows), width = 512;
    typedef T Vector __attribute__((vector_size(kVectorBytes)));
};

// Index i = (i / inner, i % inner) lies at (i / inner) * outer_stride + (i % inner) * stride.
struct Axis {
    int64_t stride;
    int64_t inner = INT64_MAX;
    int64_t outer_stride = 0;
    int64_t offset(int64_t i) const {
        return inner == INT64_MAX ? i * stride : i / inner * outer_stride + i % inner * stride;
    }
};

template <class T>
struct Matrix {
    T* data;
    Axis row, column;
};

// Entries that `gemm` needs as scratch.
template <class T>
constexpr int64_t gemm_scratch() {
    return Tile<T>::depth * (Tile<T>::height + Tile<T>::width);
}

// panel[k][i] = element (i0 + i, k0 + k) for i < width, padded with zeros to `full`. `across` is the
// axis of i, `along` that of k.
template <int full, class T>
void pack(T* panel, const T* data, Axis across, Axis along, int64_t i0, int width, int64_t k0,
          int64_t depth) {
    int64_t at[full];
    for (int i = 0; i < width; ++i) at[i] = across.offset(i0 + i);
    const bool run = width == full && at[full - 1] - at[0] == full - 1 && across.stride == 1;
    for (int64_t k = 0; k < depth; ++k, panel += full) {
        const T* source = data + along.offset(k0 + k);
        if (run) {
            std::memcpy(panel, source + at[0], full * sizeof(T));
            continue;
        }
        for (int i = 0; i < width; ++i) panel[i] = source[at[i]];
        for (int i = width; i < full; ++i) panel[i] = 0;
    }
}

// tile[i][j] = sum_k a[k][i] b[k][j] in registers; the rows of b are `step` apart.
template <class T>
inline __attribute__((always_inline)) void product(
    const T* a, const T* b, int64_t step, int64_t depth,
    typename Tile<T>::Vector (&sum)[Tile<T>::rows][2]) {
    using Vector = typename Tile<T>::Vector;
    constexpr int rows = Tile<T>::rows, lanes = Tile<T>::lanes;
    for (int i = 0; i < rows; ++i) sum[i][0] = sum[i][1] = Vector{};
    for (int64_t k = 0; k < depth; ++k, a += rows, b += step) {
        Vector left, right;
        std::memcpy(&left, b, sizeof left);
        std::memcpy(&right, b + lanes, sizeof right);
        for (int i = 0; i < rows; ++i) {
            sum[i][0] += a[i] * left;
            sum[i][1] += a[i] * right;
        }
    }
}

// memory = value, or += value; memory may lie anywhere.
template <class T>
inline void store(T* memory, typename Tile<T>::Vector value, bool add) {
    if (add) {
        typename Tile<T>::Vector old;
        std::memcpy(&old, memory, sizeof old);
        value += old;
    }
    std::memcpy(memory, &value, sizeof value);
}

// Whether entries i0 to i0 + width of an axis are neighbours in memory.
inline bool is_run(Axis axis, int64_t i0, int width) {
    return axis.stride == 1 && axis.offset(i0 + width - 1) - axis.offset(i0) == width - 1;
}

// One column of tiles: rows i0 to i0 + high of C, columns j0 to j0 + wide, from packed rows of A and
// a panel of B whose rows are `step` apart.
template <class T>
void panel_product(const T* panels, const T* panel, int64_t step, int64_t depth, Matrix<T> c,
                   int64_t i0, int64_t high, int64_t j0, int wide, bool add) {
    constexpr int rows = Tile<T>::rows, columns = Tile<T>::columns, lanes = Tile<T>::lanes;
    int64_t at[columns];
    for (int j = 0; j < wide; ++j) at[j] = c.column.offset(j0 + j);
    const bool run = wide == columns && is_run(c.column, j0, columns);
    for (int64_t i = 0; i < high; i += rows) {
        typename Tile<T>::Vector sum[rows][2];
        product<T>(panels + i * depth, panel, step, depth, sum);
        for (int64_t r = 0; r < rows && i + r < high; ++r) {
            T* out = c.data + c.row.offset(i0 + i + r);
            if (run) {
                store<T>(out + at[0], sum[r][0], add);
                store<T>(out + at[0] + lanes, sum[r][1], add);
                continue;
            }
            for (int j = 0; j < wide; ++j) {
                const T value = sum[r][j / lanes][j % lanes];
                out[at[j]] = add ? out[at[j]] + value : value;
            }
        }
    }
}

// C = A B for m x k and k x n, added to C where `add`.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
          bool add, T* scratch) {
    constexpr int rows = Tile<T>::rows, columns = Tile<T>::columns;
    constexpr int64_t depth = Tile<T>::depth, height = Tile<T>::height, width = Tile<T>::width;
    if (m <= 0 || n <= 0) return;
    T* const a_panels = scratch;
    T* const b_panels = scratch + depth * height;
    const bool few = m <= 4 * rows && b.row.inner == INT64_MAX;  // too few to pack B for
    for (int64_t n0 = 0; n0 < n; n0 += width) {
        const int64_t n1 = n - n0 < width ? n : n0 + width;
        for (int64_t k0 = 0; k0 < k || k0 == 0; k0 += depth) {
            const int64_t deep = k - k0 < depth ? k - k0 : depth;
            for (int64_t i0 = 0; i0 < m; i0 += height) {
                const int64_t high = m - i0 < height ? m - i0 : height;
                for (int64_t i = 0; i < high; i += rows) {
                    const int some = high - i < rows ? high - i : rows;
                    pack<rows>(a_panels + i * deep, a.data, a.row, a.column, i0 + i, some, k0, deep);
                }
                for (int64_t j = n0; j < n1; j += columns) {
                    const int wide = n1 - j < columns ? n1 - j : columns;
                    const T* panel = b_panels + (j - n0) * deep;
                    int64_t step = columns;
                    if (few && wide == columns && is_run(b.column, j, columns)) {
                        panel = b.data + b.column.offset(j) + k0 * b.row.stride;
                        step = b.row.stride;
                    } else if (i0 == 0) {
                        pack<columns>(b_panels + (j - n0) * deep, b.data, b.column, b.row, j, wide,
                                      k0, deep);
                    }
                    panel_product<T>(a_panels, panel, step, deep, c, i0, high, j, wide, add || k0);
                }
            }
        }
    }
}

}  // namespace eq
