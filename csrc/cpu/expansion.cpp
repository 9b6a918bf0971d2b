// Filters from weights, and the weights' share of a gradient:          equinet/ops/expansion.py
//
//     forward     F[(u i) (v j) p] = Q_out (sum_k w[u v k] K[k i j p]) Q_in^T
//     adjoint     w[u v k] = sum_ijp K[k i j p] (Q_out^T F Q_in)[(u i) (v j) p]
//
// The work is done band by band: the rows of a filter that one copy of a block of the output has.
// Each weight belongs to one band, so bands are independent, and a band lies in the cache.
#include "common/api.h"
#include "cpu/parallel.h"
#include "cpu/thin.h"

namespace {

enum Mode : int64_t { kForward, kAdjoint };

// The input or the output: blocks that hold vectors of a few kinds.
struct Side {
    int64_t kinds, blocks;
    const int64_t *dims, *table;
    int64_t mul(int64_t b) const { return table[b * (kinds + 2)]; }
    bool mixed(int64_t b) const { return table[b * (kinds + 2) + 1]; }
    int64_t copies(int64_t b, int64_t kind) const { return table[b * (kinds + 2) + 2 + kind]; }
    // Where the vectors of a kind start in one copy of a block; of the last kind + 1, its dimension.
    int64_t start(int64_t b, int64_t kind) const {
        int64_t sum = 0;
        for (int64_t k = 0; k < kind; ++k) sum += copies(b, k) * dims[k];
        return sum;
    }
    int64_t dim(int64_t b) const { return start(b, kinds); }
    // What stands before a block: components, vectors of a kind, entries of matrices.
    int64_t components_before(int64_t b) const {
        int64_t sum = 0;
        for (int64_t c = 0; c < b; ++c) sum += mul(c) * dim(c);
        return sum;
    }
    int64_t vectors_before(int64_t b, int64_t kind) const {
        int64_t sum = 0;
        for (int64_t c = 0; c < b; ++c) sum += mul(c) * copies(c, kind);
        return sum;
    }
    int64_t entries_before(int64_t b) const {
        int64_t sum = 0;
        for (int64_t c = 0; c < b; ++c) sum += mixed(c) ? dim(c) * dim(c) : 0;
        return sum;
    }
    int64_t bands() const {
        int64_t sum = 0;
        for (int64_t b = 0; b < blocks; ++b) sum += mul(b);
        return sum;
    }
    int64_t largest() const {
        int64_t found = 0;
        for (int64_t b = 0; b < blocks; ++b) found = dim(b) > found ? dim(b) : found;
        return found;
    }
};

// As `Plan.numbers` in Python: sizes, then what they follow from.
struct Plan {
    int64_t points, dim_out, dim_in, weights;
    Side out, in;
    const int64_t* kernels;  // for each pair of kinds
    explicit Plan(const int64_t* n) : points(n[0]), dim_out(n[1]), dim_in(n[2]), weights(n[3]) {
        out = {n[6], n[7], n + 10, n + 10 + n[6] + n[8]};
        in = {n[8], n[9], n + 10 + n[6], out.table + n[7] * (n[6] + 2)};
        kernels = in.table + n[9] * (n[8] + 2);
    }
};

// Between one vector of the output and those of one kind and place in the copies of a block of the
// input: `rows` is where the first of them stands in the band, `width` the length of a row of it.
template <class T>
struct Pairs {
    int64_t dim_out, run, kernels;       // run = dim_in * points
    int64_t many, apart, weights_apart;  // vectors of the input
    void forward(const T* w, const T* basis, T* rows, int64_t width) const {
        for (int64_t i = 0; i < dim_out; ++i) {
            eq::combine<T>(many, run, kernels, {w, weights_apart, 1}, basis + i * run,
                           dim_out * run, rows + i * width, apart);
        }
    }
    void adjoint(T* w, const T* basis, const T* rows, int64_t width) const {
        eq::inner<T>(kernels, many, dim_out, run, {basis, dim_out * run, run}, {rows, apart, width},
                     w, 1, weights_apart);
    }
};

// One copy of block b of the output.
template <class T>
class Band {
  public:
    Band(const Plan& plan, int64_t b, int64_t copy, const T* basis, const T* matrices)
        : plan_(plan), b_(b), copy_(copy), basis_(basis), matrices_(matrices),
          height_(plan.out.dim(b)),
          width_(plan.dim_in * plan.points) {}

    // `filter` is the band; `sorted` and `mixed` have room for it.
    void forward(const T* weights, T* filter, T* sorted, T* mixed) const {
        T* const rows = plan_.out.mixed(b_) ? mixed : filter;
        each_pair([&](const Pairs<T>& pairs, int64_t block, int64_t at, int64_t w, int64_t k) {
            T* const to = plan_.in.mixed(block) ? sorted : rows;
            pairs.forward(weights + w, basis_ + k, to + at, width_);
        });
        mix_input(sorted, rows, false);
        if (rows != filter) mix_output(rows, filter, false);
    }

    void adjoint(T* weights, const T* filter, T* sorted, T* mixed) const {
        const T* rows = filter;
        if (plan_.out.mixed(b_)) {
            mix_output(filter, mixed, true);
            rows = mixed;
        }
        mix_input(rows, sorted, true);
        each_pair([&](const Pairs<T>& pairs, int64_t block, int64_t at, int64_t w, int64_t k) {
            const T* const from = plan_.in.mixed(block) ? sorted : rows;
            pairs.adjoint(weights + w, basis_ + k, from + at, width_);
        });
    }

  private:
    // visit(pairs, block of the input, where in the band, where its weights and its kernels start)
    template <class Visit>
    void each_pair(const Visit& visit) const {
        const Side &out = plan_.out, &in = plan_.in;
        int64_t w = 0, k = 0;
        for (int64_t r = 0; r < out.kinds; ++r) {
            const int64_t mine = out.copies(b_, r), total_out = out.vectors_before(out.blocks, r);
            const int64_t first = out.vectors_before(b_, r) + copy_ * mine;
            for (int64_t c = 0; c < in.kinds; ++c) {
                const int64_t total = in.vectors_before(in.blocks, c);
                const int64_t kernels = plan_.kernels[r * in.kinds + c];
                const int64_t run = in.dims[c] * plan_.points;
                for (int64_t u = 0; u < mine; ++u) {
                    const int64_t row = (out.start(b_, r) + u * out.dims[r]) * width_;
                    each_place(c, [&](int64_t block, int64_t component, int64_t vector) {
                        const Pairs<T> pairs{out.dims[r], run, kernels, in.mul(block),
                                             in.dim(block) * plan_.points,
                                             in.copies(block, c) * kernels};
                        visit(pairs, block, row + component * plan_.points,
                              w + ((first + u) * total + vector) * kernels, k);
                    });
                }
                w += total_out * total * kernels;
                k += kernels * out.dims[r] * run;
            }
        }
    }

    // visit(block, component, vector) of every vector of a kind in the first copy of each block.
    template <class Visit>
    void each_place(int64_t kind, const Visit& visit) const {
        const Side& in = plan_.in;
        int64_t component = 0, vector = 0;
        for (int64_t b = 0; b < in.blocks; ++b) {
            for (int64_t v = 0; v < in.copies(b, kind); ++v) {
                visit(b, component + in.start(b, kind) + v * in.dims[kind], vector + v);
            }
            component += in.mul(b) * in.dim(b);
            vector += in.mul(b) * in.copies(b, kind);
        }
    }

    // The matrices of the blocks of the input, from the left on the components of every row.
    void mix_input(const T* from, T* to, bool transposed) const {
        const Side& in = plan_.in;
        const T* matrix = matrices_ + plan_.out.entries_before(plan_.out.blocks);
        int64_t at = 0;
        for (int64_t b = 0; b < in.blocks; ++b) {
            const int64_t n = in.dim(b), size = n * plan_.points;
            for (int64_t i = 0; in.mixed(b) && i < height_ * in.mul(b); ++i) {
                const int64_t x = i / in.mul(b) * width_ + at + i % in.mul(b) * size;
                const eq::Table<T> q{matrix, transposed ? 1 : n, transposed ? n : 1};
                eq::combine<T>(n, plan_.points, n, q, from + x, plan_.points, to + x,
                               plan_.points);
            }
            if (in.mixed(b)) matrix += n * n;
            at += in.mul(b) * size;
        }
    }

    void mix_output(const T* from, T* to, bool transposed) const {
        const T* const matrix = matrices_ + plan_.out.entries_before(b_);
        const int64_t row = transposed ? 1 : height_, column = transposed ? height_ : 1;
        eq::combine<T>(height_, width_, height_, {matrix, row, column}, from, width_, to, width_);
    }

    const Plan& plan_;
    const int64_t b_, copy_;
    const T *const basis_, *const matrices_;
    const int64_t height_, width_;  // of the band; a row is (components of the input, points)
};

// Entries of the result below which a second thread costs more than it saves.
constexpr int64_t kGrain = 1 << 15;

}  // namespace

// left is w (count, weights), or F (count, out, in, points) for `adjoint`; out is the other.
EQ_OPERATOR expansion(int64_t mode, const T* left, const T* kernels, const T* matrices, T* out,
                      const int64_t* numbers, int64_t count) {
    const Plan plan(numbers);
    const Side& rows = plan.out;
    const int64_t bands = rows.bands(), width = plan.dim_in * plan.points;
    const int64_t room = rows.largest() * width;
    bool enough = true;
    parallel(count * bands, 1 + kGrain / (room + 1), [&](int64_t begin, int64_t end) {
        const Scratch<T> memory(2 * room);
        if (!memory) {
            enough = false;
            return;
        }
        T *const sorted = memory.data(), *const mixed = sorted + room;
        for (int64_t i = begin; i < end; ++i) {
            int64_t b = 0, copy = i % bands;
            for (; copy >= rows.mul(b); ++b) copy -= rows.mul(b);
            const int64_t row = rows.components_before(b) + copy * rows.dim(b);
            const int64_t f = (i / bands * plan.dim_out + row) * width;
            const int64_t w = i / bands * plan.weights;
            const Band<T> band(plan, b, copy, kernels, matrices);
            if (mode == kForward) {
                band.forward(left + w, out + f, sorted, mixed);
            } else {
                band.adjoint(out + w, left + f, sorted, mixed);
            }
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(expansion)
