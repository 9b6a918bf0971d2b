// The Fourier transform of a local filter, and its adjoint:        equinet/ops/filter_spectra.py
//
//     forward     W[(n o) (n' i)] = sum_p B[n n' p] w[o i p]
//     adjoint     w[o i p] = sum_l sum_nn' B[n n' p] W[(n o) (n' i)]
//
// for each pair of blocks and each degree l. The weights are turned to (p, (o i)), so that one row of
// every matrix product is one row in memory.
#include "common/api.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"

namespace {

enum Mode : int64_t { kForward, kAdjoint };

// One degree of a pair of blocks: a row of `_table` in Python.
struct Block {
    int64_t entry, width, copies_out, orders_out, copies_in, orders_in, points, weights, basis;
    Block(const int64_t* table, int64_t row) {
        const int64_t* n = table + 9 * row;
        entry = n[0], width = n[1], copies_out = n[2], orders_out = n[3], copies_in = n[4];
        orders_in = n[5], points = n[6], weights = n[7], basis = n[8];
    }
    int64_t orders() const { return orders_out * orders_in; }
    int64_t copies() const { return copies_out * copies_in; }
    // Entries of W by (n, n') and by (o, i).
    eq::Axis by_orders() const { return {copies_in, orders_in, copies_out * width}; }
    eq::Axis by_copies() const { return {1, copies_in, width}; }
};

// out[j][i] = from[i][j], a few rows at a time, which stay in the cache.
template <class T>
void turn(int64_t rows, int64_t columns, const T* from, int64_t from_row, T* out, int64_t out_row) {
    constexpr int64_t few = 64 / sizeof(T);
    for (int64_t i0 = 0; i0 < rows; i0 += few) {
        const int64_t i1 = rows - i0 < few ? rows : i0 + few;
        for (int64_t j = 0; j < columns; ++j) {
            for (int64_t i = i0; i < i1; ++i) out[j * out_row + i] = from[i * from_row + j];
        }
    }
}

// Orders n0 to n1 of the output.
template <class T>
void forward(const Block& b, int64_t n0, int64_t n1, const T* turned, const T* basis, T* out,
             T* scratch) {
    const T* const rows = basis + b.basis + n0 * b.orders_in * b.points;
    T* const to = out + b.entry + b.by_orders().offset(n0 * b.orders_in);
    eq::gemm<T>((n1 - n0) * b.orders_in, b.copies(), b.points, {rows, {b.points}, {1}},
                {turned + b.weights, {b.copies()}, {1}}, {to, b.by_orders(), b.by_copies()}, false,
                scratch);
}

// One degree of copies o0 to o1 of the output, added to those before.
template <class T>
void adjoint(const Block& b, int64_t o0, int64_t o1, const T* filter, const T* basis, T* turned,
             bool add, T* scratch) {
    const int64_t first = o0 * b.copies_in;
    eq::gemm<T>(b.points, (o1 - o0) * b.copies_in, b.orders(),
                {basis + b.basis, {1}, {b.points}},
                {filter + b.entry + o0 * b.width, b.by_orders(), b.by_copies()},
                {turned + b.weights + first, {b.copies()}, {1}}, add, scratch);
}

// Multiplications below which a second thread costs more than it saves.
constexpr int64_t kGrain = 1 << 16;

}  // namespace

// left is w, or W for `adjoint`; out is the other.
EQ_OPERATOR filter_spectrum(int64_t mode, const T* left, const T* basis, T* out, const int64_t* table,
                            int64_t pairs, int64_t degrees, int64_t weights) {
    const Scratch<T> memory(weights);
    if (!memory) return EQ_NO_MEMORY;
    T* const turned = memory.data();
    for (int64_t pair = 0; mode == kForward && pair < pairs; ++pair) {
        const Block b(table, pair * degrees);
        parallel(b.points, 1 + kGrain / (b.copies() + 1), [&](int64_t p0, int64_t p1) {
            turn<T>(b.copies(), p1 - p0, left + b.weights + p0, b.points,
                    turned + b.weights + p0 * b.copies(), b.copies());
        });
    }
    // The work is cut between orders n, or copies o, into parts of equal cost.
    const int64_t stretch = mode == kForward ? 1 : degrees, parts = pairs * degrees / stretch;
    const auto size = [&](const Block& b) { return mode == kForward ? b.orders_out : b.copies_out; };
    const auto cost = [&](int64_t part) {
        int64_t sum = 0;
        for (int64_t row = part * stretch; row < (part + 1) * stretch; ++row) {
            const Block b(table, row);
            sum += (b.points + 1) * b.copies_in *
                   (mode == kForward ? b.orders_in * b.copies_out : b.orders() + 1);
        }
        return sum;
    };
    int64_t total = 0;
    for (int64_t k = 0; k < parts; ++k) total += size(Block(table, k * stretch)) * cost(k);
    bool enough = true;
    parallel(total, kGrain, [&](int64_t begin, int64_t end) {
        const Scratch<T> scratch(eq::gemm_scratch<T>());
        if (!scratch) {
            enough = false;
            return;
        }
        for (int64_t k = 0, start = 0; k < parts; ++k) {
            const Block b(table, k * stretch);
            const int64_t each = cost(k), count = each ? size(b) : 0;  // else there is no entry
            const int64_t i0 = cut(begin - start, each, count), i1 = cut(end - start, each, count);
            start += count * each;
            if (i0 == i1) continue;
            if (mode == kForward) {
                forward<T>(b, i0, i1, turned, basis, out, scratch.data());
                continue;
            }
            for (int64_t l = 0; l < degrees; ++l) {
                adjoint<T>(Block(table, k * degrees + l), i0, i1, left, basis, turned, l > 0,
                           scratch.data());
            }
            const int64_t first = i0 * b.copies_in;
            turn<T>(b.points, (i1 - i0) * b.copies_in, turned + b.weights + first, b.copies(),
                    out + b.weights + first * b.points, b.points);
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(filter_spectrum)
