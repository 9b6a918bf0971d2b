// Filters from weights, before the matrices of blocks act, and the adjoint; equinet/ops/expansion.py
// has the equations and applies the matrices. The table, made there too, holds for each component of
// the output and then of the input its kind, vector and entry, then the pairs of kinds, then where
// the vectors of the output and then of the input start.

struct Pair {  // of kinds: a row of the table
    i64 kernels, weight, kernel, dim_out, dim_in, vectors_out, vectors_in, start_out, start_in;
};
constexpr int kPairSize = 9;

__device__ inline Pair pair_at(const i64* row) {
    return {row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]};
}

// One entry of a filter: the sum over the kernels of its pair.
__device__ inline T entry_of(const T* weights, const T* kernels, const i64* row, const i64* column,
                             const i64* pairs, i64 kinds_in, i64 point, i64 points) {
    const Pair p = pair_at(pairs + (row[0] * kinds_in + column[0]) * kPairSize);
    const T* w = weights + p.weight + (row[1] * p.vectors_in + column[1]) * p.kernels;
    const T* kernel = kernels + p.kernel + (row[2] * p.dim_in + column[2]) * points + point;
    const i64 step = p.dim_out * p.dim_in * points;
    T sum = 0;
    for (i64 k = 0; k < p.kernels; ++k) sum += w[k] * kernel[k * step];
    return sum;
}

// One lane's share of the sum for one weight, number `index` of its pair.
__device__ inline T share_of(const T* filter, const T* kernels, const Pair& p, const i64* starts,
                             i64 index, i64 width, i64 points, int lane) {
    const i64 k = index % p.kernels, u = index / p.kernels / p.vectors_in;
    const i64 v = index / p.kernels % p.vectors_in, run = p.dim_in * points;
    const T* a = kernels + p.kernel + k * p.dim_out * run;
    const T* b = filter + starts[p.start_out + u] * width + starts[p.start_in + v] * points;
    T sum = 0;
    for (i64 i = 0; i < p.dim_out; ++i, a += run, b += width) {
        for (i64 x = lane; x < run; x += kWarp) sum += a[x] * b[x];
    }
    return sum;
}

// Forward: a thread for each entry of the result. Adjoint: a warp for each weight.
EQ_KERNEL(expansion)(int mode, const T* left, const T* kernels, T* out, const i64* table, i64 kinds_out,
                     i64 kinds_in, i64 dim_out, i64 dim_in, i64 points, i64 weights, i64 count) {
    const i64* const columns = table + 3 * dim_out;
    const i64* const pairs = columns + 3 * dim_in;
    const i64* const starts = pairs + kinds_out * kinds_in * kPairSize;
    const i64 thread = i64(blockIdx.x) * blockDim.x + threadIdx.x, width = dim_in * points;
    if (mode == 0) {
        if (thread >= count * dim_out * width) return;
        const i64 point = thread % points, column = thread / points % dim_in;
        const i64 row = thread / width % dim_out, n = thread / width / dim_out;
        out[thread] = entry_of(left + n * weights, kernels, table + 3 * row, columns + 3 * column,
                               pairs, kinds_in, point, points);
        return;
    }
    const i64 warp = thread / kWarp;  // uniform in a warp, all of which meet in the sum
    if (warp >= count * weights) return;
    const int lane = threadIdx.x % kWarp;
    i64 index = warp % weights;
    const i64* row = pairs;
    Pair p = pair_at(row);
    while (index >= p.vectors_out * p.vectors_in * p.kernels) {
        index -= p.vectors_out * p.vectors_in * p.kernels;
        p = pair_at(row += kPairSize);
    }
    T sum = share_of(left + warp / weights * dim_out * width, kernels, p, starts, index, width,
                     points, lane);
    for (int half = kWarp / 2; half; half /= 2) sum += __shfl_xor_sync(~0u, sum, half);
    if (lane == 0) out[warp] = sum;
}
