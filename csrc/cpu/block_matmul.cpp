// One matrix for each degree l, applied at every order m:          equinet/ops/block_products.py
//
//     forward     z[m] = W x[m]
//     adjoint     x[m] = W^T z[m]
//     outer       W = sum_m z[m] x[m]^T
//
// A degree of x is (2l + 1, columns_l, batch), of z (2l + 1, rows_l, batch), of W (rows_l, columns_l).
#include "common/api.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"

namespace {

enum Mode : int64_t { kForward, kAdjoint, kOuter };

// One product of a degree: rows i0 to i1 of the result.
template <class T>
void degree(int64_t mode, const T* left, const T* right, T* out, int64_t orders, int64_t rows,
            int64_t columns, int64_t batch, int64_t i0, int64_t i1, T* scratch) {
    using eq::Axis;
    if (mode == kOuter) {  // sum over (m, batch)
        const Axis z{1, batch, rows * batch}, x{1, batch, columns * batch};
        eq::gemm<T>(i1 - i0, columns, orders * batch, {left + i0 * batch, {batch}, z},
                    {right, x, {batch}}, {out + i0 * columns, {columns}, {1}}, false, scratch);
        return;
    }
    const int64_t outs = mode == kForward ? rows : columns, ins = mode == kForward ? columns : rows;
    const Axis by_row{columns}, by_column{1};
    eq::Matrix<const T> w{left, by_row, by_column};
    if (mode == kAdjoint) w = {left, by_column, by_row};
    w.data += w.row.offset(i0);
    const Axis x{1, batch, ins * batch}, z{1, batch, outs * batch};  // columns are (m, batch)
    eq::gemm<T>(i1 - i0, orders * batch, ins, w, {right, {batch}, x},
                {out + i0 * batch, {batch}, z}, false, scratch);
}

// Multiplications below which a second thread costs more than it saves.
constexpr int64_t kGrain = 1 << 16;

}  // namespace

// left is W, or z for `outer`; right is x, or z for `adjoint`. The bias, if any, is added to z at
// degree 0.
EQ_OPERATOR block_matmul(int64_t mode, const T* left, const T* right, const T* bias, T* out,
                         const int64_t* rows, const int64_t* columns, int64_t degrees,
                         int64_t batch) {
    // The work is cut between rows of the result, into parts of equal cost, whatever their degree.
    const auto size = [&](int64_t l) { return mode == kAdjoint ? columns[l] : rows[l]; };
    const auto cost = [&](int64_t l) {  // of a row; one without a sum must still be set to zero
        return (2 * l + 1) * (1 + (mode == kAdjoint ? rows[l] : columns[l]));
    };
    int64_t total = 0;
    for (int64_t l = 0; l < degrees; ++l) total += size(l) * cost(l);
    bool enough = true;
    parallel(total, 1 + kGrain / (batch + 1), [&](int64_t begin, int64_t end) {
        const Scratch<T> scratch(eq::gemm_scratch<T>());
        if (!scratch) {
            enough = false;
            return;
        }
        const T *a = left, *b = right;
        T* c = out;
        int64_t start = 0;
        for (int64_t l = 0; l < degrees; ++l) {
            const int64_t orders = 2 * l + 1, w = rows[l] * columns[l];
            const int64_t x = orders * columns[l] * batch, z = orders * rows[l] * batch;
            const int64_t i0 = cut(begin - start, cost(l), size(l));
            const int64_t i1 = cut(end - start, cost(l), size(l));
            if (i0 < i1) {
                degree<T>(mode, a, b, c, orders, rows[l], columns[l], batch, i0, i1,
                          scratch.data());
            }
            for (int64_t i = i0; l == 0 && bias && i < i1; ++i) {
                for (int64_t j = 0; j < batch; ++j) c[i * batch + j] += bias[i];
            }
            start += size(l) * cost(l);
            a += mode == kOuter ? z : w;
            b += mode == kAdjoint ? z : x;
            c += mode == kForward ? z : mode == kAdjoint ? x : w;
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(block_matmul)
