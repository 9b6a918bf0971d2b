// The Fourier transform of a local filter, and its adjoint, as in cpu/filter_spectrum.cpp; the table is
// the same. A thread makes one entry of the result.

// One degree of a pair of blocks: a row of the table.
struct FilterBlock {
    i64 entry, width, copies_out, orders_out, copies_in, orders_in, points, weights, basis;
    __device__ i64 entries() const { return orders_out * copies_out * orders_in * copies_in; }
    // Entry (n o) (n' i) of the matrices.
    __device__ i64 at(i64 n_out, i64 o, i64 n_in, i64 i) const {
        return entry + (n_out * copies_out + o) * width + n_in * copies_in + i;
    }
};
constexpr int kFilterBlockSize = 9;

__device__ inline FilterBlock filter_block(const i64* table, i64 row) {
    const i64* n = table + row * kFilterBlockSize;
    return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
}

// Entry `index` of a block.
__device__ inline void entry_of_block(const FilterBlock& b, i64 index, const T* weights,
                                      const T* basis, T* out) {
    const i64 i = index % b.copies_in, n_in = index / b.copies_in % b.orders_in;
    const i64 row = index / b.copies_in / b.orders_in;
    const i64 o = row % b.copies_out, n_out = row / b.copies_out;
    const T* w = weights + b.weights + (o * b.copies_in + i) * b.points;
    const T* harmonics = basis + b.basis + (n_out * b.orders_in + n_in) * b.points;
    T sum = 0;
    for (i64 p = 0; p < b.points; ++p) sum += harmonics[p] * w[p];
    out[b.at(n_out, o, n_in, i)] = sum;
}

EQ_KERNEL(filter_spectrum)(int mode, const T* left, const T* basis, T* out, const i64* table, i64 pairs,
                           i64 degrees) {
    i64 index = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (mode == 0) {
        for (i64 row = 0; row < pairs * degrees; ++row) {
            const FilterBlock b = filter_block(table, row);
            if (index < b.entries()) return entry_of_block(b, index, left, basis, out);
            index -= b.entries();
        }
        return;
    }
    for (i64 pair = 0; pair < pairs; ++pair) {
        const FilterBlock first = filter_block(table, pair * degrees);
        const i64 size = first.copies_out * first.copies_in * first.points;
        if (index >= size) {
            index -= size;
            continue;
        }
        const i64 p = index % first.points, i = index / first.points % first.copies_in;
        const i64 o = index / first.points / first.copies_in;
        T sum = 0;
        for (i64 l = 0; l < degrees; ++l) {
            const FilterBlock b = filter_block(table, pair * degrees + l);
            const T* harmonics = basis + b.basis + p;
            for (i64 n = 0; n < b.orders_out * b.orders_in; ++n) {
                const i64 at = b.at(n / b.orders_in, o, n % b.orders_in, i);
                sum += harmonics[n * b.points] * left[at];
            }
        }
        out[first.weights + index] = sum;
        return;
    }
}
