// The matrix product that the operators share: C = A B, or C += A B. Before: parallel.h.
//
// Every axis of a matrix may be a pair of axes of a tensor, so that a contraction of tensors is a
// product without a copy of either: the packing of panels, which every fast product does, follows
// the strides. Serial and deterministic; the callers run several products side by side.
//
// Design as in Goto and van de Geijn (2008): a register tile of MR x NR sums over k, panels of A
// stay in the second cache, a panel of B in the first.
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
    // Blocks of k and of rows that are packed at a time: 128 kB of A, 16 kB for a panel of B.
    static constexpr int64_t depth = 1024 / sizeof(T), height = rows * (128 / rows);
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
    return Tile<T>::depth * (Tile<T>::height + Tile<T>::columns);
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

// tile[i][j] = sum_k a[k][i] b[k][j] in registers.
template <class T>
inline __attribute__((always_inline)) void product(const T* a, const T* b, int64_t depth,
                                                   typename Tile<T>::Vector (&sum)[Tile<T>::rows][2]) {
    using Vector = typename Tile<T>::Vector;
    constexpr int rows = Tile<T>::rows, lanes = Tile<T>::lanes;
    for (int i = 0; i < rows; ++i) sum[i][0] = sum[i][1] = Vector{};
    for (int64_t k = 0; k < depth; ++k, a += rows, b += 2 * lanes) {
        const Vector left = *reinterpret_cast<const Vector*>(b);
        const Vector right = *reinterpret_cast<const Vector*>(b + lanes);
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

// C = A B for m x k and k x n, added to C where `add`.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
          bool add, T* scratch) {
    using Vector = typename Tile<T>::Vector;
    constexpr int rows = Tile<T>::rows, columns = Tile<T>::columns, lanes = Tile<T>::lanes;
    constexpr int64_t depth = Tile<T>::depth, height = Tile<T>::height;
    if (m <= 0 || n <= 0) return;
    T* const panels = scratch;
    T* const panel = scratch + depth * height;
    for (int64_t i0 = 0; i0 < m; i0 += height) {
        const int64_t here = m - i0 < height ? m - i0 : height;
        for (int64_t k0 = 0; k0 < k || k0 == 0; k0 += depth) {
            const int64_t deep = k - k0 < depth ? k - k0 : depth;
            for (int64_t i = 0; i < here; i += rows) {
                const int width = here - i < rows ? here - i : rows;
                pack<rows>(panels + i * depth, a.data, a.row, a.column, i0 + i, width, k0, deep);
            }
            for (int64_t j0 = 0; j0 < n; j0 += columns) {
                const int wide = n - j0 < columns ? n - j0 : columns;
                pack<columns>(panel, b.data, b.column, b.row, j0, wide, k0, deep);
                int64_t at[columns];
                for (int j = 0; j < wide; ++j) at[j] = c.column.offset(j0 + j);
                const bool run = wide == columns && c.column.stride == 1 &&
                                 at[columns - 1] - at[0] == columns - 1;
                const bool plus = add || k0;
                for (int64_t i = 0; i < here; i += rows) {
                    Vector sum[rows][2];
                    product<T>(panels + i * depth, panel, deep, sum);
                    const int high = here - i < rows ? here - i : rows;
                    for (int r = 0; r < high; ++r) {
                        T* out = c.data + c.row.offset(i0 + i + r);
                        if (run) {
                            store<T>(out + at[0], sum[r][0], plus);
                            store<T>(out + at[0] + lanes, sum[r][1], plus);
                            continue;
                        }
                        for (int j = 0; j < wide; ++j) {
                            const T value = sum[r][j / lanes][j % lanes];
                            out[at[j]] = plus ? out[at[j]] + value : value;
                        }
                    }
                }
            }
        }
    }
}

}  // namespace eq
