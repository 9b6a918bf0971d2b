// One matrix for each degree, applied at every order m; the three products are those of
// cpu/block_matmul.cpp. One grid does all degrees: a block of 16 x 16 threads makes one tile of
// 64 x 64, each thread 4 x 4 of it, with 16 steps of the sum at a time in shared memory.

constexpr int kTile = 64, kDepth = 16, kSide = 16, kEach = kTile / kSide;

// Index i = (i / inner, i % inner) lies at (i / inner) * outer_stride + (i % inner) * stride.
struct Axis {
    i64 stride, inner, outer_stride;
    __device__ i64 offset(i64 i) const {
        return inner ? i / inner * outer_stride + i % inner * stride : i * stride;
    }
};

// C = A B of one degree: C is m x n, the sum runs over k.
struct Product {
    i64 m, n, k;
    Axis a_row, a_column, b_row, b_column, c_row, c_column;
};

__device__ inline Product product_of(int mode, i64 orders, i64 rows, i64 columns, i64 batch) {
    const Axis x{1, batch, columns * batch}, z{1, batch, rows * batch};  // of (m, batch)
    const Axis across{batch, 0, 0}, by_row{columns, 0, 0}, one{1, 0, 0};
    const i64 samples = orders * batch;
    if (mode == 0) return {rows, samples, columns, by_row, one, across, x, across, z};
    if (mode == 1) return {columns, samples, rows, one, by_row, across, z, across, x};
    return {rows, columns, samples, across, z, x, across, by_row, one};
}

// shared[k][i] = entry (i0 + i, k0 + k) of a matrix, zero outside; neighbours in memory are read by
// neighbouring threads.
__device__ inline void load(T (*shared)[kTile + 1], const T* data, Axis across, Axis along, i64 i0,
                            i64 size, i64 k0, i64 depth, int thread) {
    const bool by_k = along.stride == 1;
    for (int at = thread; at < kTile * kDepth; at += kSide * kSide) {
        const int k = by_k ? at % kDepth : at / kTile, i = by_k ? at / kDepth : at % kTile;
        const bool inside = i0 + i < size && k0 + k < depth;
        shared[k][i] = inside ? data[across.offset(i0 + i) + along.offset(k0 + k)] : T(0);
    }
}

EQ_KERNEL(block_matmul)(int mode, const T* left, const T* right, const T* bias, T* out, Degrees degrees,
                        i64 batch) {
    __shared__ T a[kDepth][kTile + 1], b[kDepth][kTile + 1];
    // Which degree, and which tile of it. Uniform over the block, so that barriers are met by all.
    i64 tile = blockIdx.x, l = 0, tiles_n = 0;
    Product p{};
    for (; l < degrees.count; ++l) {
        const i64 orders = 2 * l + 1, rows = degrees.rows[l], columns = degrees.columns[l];
        p = product_of(mode, orders, rows, columns, batch);
        tiles_n = (p.n + kTile - 1) / kTile;
        const i64 tiles = (p.m + kTile - 1) / kTile * tiles_n;
        if (tile < tiles) break;
        tile -= tiles;
        const i64 w = rows * columns, x = orders * columns * batch, z = orders * rows * batch;
        left += mode == 2 ? z : w;
        right += mode == 1 ? z : x;
        out += mode == 0 ? z : mode == 1 ? x : w;
    }
    if (l == degrees.count) return;
    const i64 i0 = tile / tiles_n * kTile, j0 = tile % tiles_n * kTile;
    const int thread = threadIdx.x, row = thread / kSide, column = thread % kSide;
    T sum[kEach][kEach] = {};
    for (i64 k0 = 0; k0 < p.k; k0 += kDepth) {
        load(a, left, p.a_row, p.a_column, i0, p.m, k0, p.k, thread);
        load(b, right, p.b_column, p.b_row, j0, p.n, k0, p.k, thread);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
#pragma unroll
            for (int i = 0; i < kEach; ++i) {
#pragma unroll
                for (int j = 0; j < kEach; ++j) {
                    sum[i][j] += a[k][row + i * kSide] * b[k][column + j * kSide];
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        const i64 at = i0 + row + i * kSide;
        if (at >= p.m) continue;
        const T constant = bias && l == 0 ? bias[at] : T(0);
#pragma unroll
        for (int j = 0; j < kEach; ++j) {
            const i64 to = j0 + column + j * kSide;
            if (to < p.n) out[p.c_row.offset(at) + p.c_column.offset(to)] = sum[i][j] + constant;
        }
    }
}
