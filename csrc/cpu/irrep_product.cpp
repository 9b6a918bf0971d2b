// A matrix for each irrep, on all of its copies:                      equinet/ops/irrep_products.py
//
//     product     y[i v m] = sum_c W[v c] x[i c m]
//     gradients   of <y, product> by x and W
//
// Rows are taken some at a time, component by component; what is added up over the rows is a sum of
// parts, as many for any number of threads.
#include "common/api.h"
#include "cpu/edge_paths.h"

namespace {

using eq::padded;

constexpr int64_t kTall = 24;                        // rows at a time
constexpr int64_t kMostParts = 16, kPartRows = 80;  // of a sum over rows
constexpr int64_t kNumbers = 7;

// Copies of one irrep: of x in groups of `channels`, with component m of group f at
// into + (m * groups + f) * run or, where run is 0, with the components of a channel in a row; of y
// the components of a copy in a row.
struct Irrep {
    int64_t dim, copies, channels, groups, into, run, out;
    int64_t weight, panel, turned;  // where its entries of W start, plain and in both tables
    int64_t step() const { return run ? 1 : dim; }
    int64_t at(int64_t m, int64_t f) const { return run ? into + (m * groups + f) * run : into + m; }
};

template <class T>
struct Irreps {
    Irreps(const int64_t* numbers, int64_t count) : count(count), memory(count) {
        for (int64_t b = 0; memory && b < count; ++b, numbers += kNumbers) {
            const int64_t *n = numbers, wide = padded<T>(n[1]), across = padded<T>(n[2]);
            memory.data()[b] = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], weights, panels, turns};
            weights += n[1] * n[2] * n[3];
            panels += wide * n[2] * n[3];
            turns += n[1] * across * n[3];
            tile = n[0] * wide > tile ? n[0] * wide : tile;
            widest = across > widest ? across : widest;
        }
    }
    const Irrep& operator[](int64_t b) const { return memory.data()[b]; }
    int64_t count, weights = 0, panels = 0, turns = 0, tile = 0, widest = 0;
    Scratch<Irrep> memory;
};

// W as (channels, copies), padded; for the gradient by x as (group, copies, channels).
template <class T>
void pack_panels(const Irreps<T>& irreps, const T* weights, T* panels) {
    for (int64_t b = 0; b < irreps.count; ++b) {
        const Irrep& own = irreps[b];
        const int64_t wide = padded<T>(own.copies), depth = own.channels * own.groups;
        eq::zero(panels + own.panel, depth * wide);
        for (int64_t v = 0; v < own.copies; ++v) {
            const T* const row = weights + own.weight + v * depth;
            for (int64_t c = 0; c < depth; ++c) panels[own.panel + c * wide + v] = row[c];
        }
    }
}
template <class T>
void pack_turned(const Irreps<T>& irreps, const T* weights, T* turned) {
    eq::zero(turned, irreps.turns);
    for (int64_t b = 0; b < irreps.count; ++b) {
        const Irrep& own = irreps[b];
        const int64_t across = padded<T>(own.channels);
        for (int64_t v = 0; v < own.copies; ++v) {
            for (int64_t f = 0; f < own.groups; ++f) {
                std::memcpy(turned + own.turned + (f * own.copies + v) * across,
                            weights + own.weight + (v * own.groups + f) * own.channels,
                            own.channels * sizeof(T));
            }
        }
    }
}

// The rows of y of some rows of x.
template <class T>
void forward(const Irrep& own, int64_t rows, const T* x, int64_t x_row, const T* panels, T* tile, T* y,
             int64_t y_row) {
    const int64_t wide = padded<T>(own.copies), apart = rows * wide;
    for (int64_t m = 0; m < own.dim; ++m) {
        for (int64_t f = 0; f < own.groups; ++f) {
            eq::product<T>(rows, wide, own.channels, {x + own.at(m, f), x_row, own.step()},
                           panels + own.panel + f * own.channels * wide, wide, tile + m * apart, wide,
                           f > 0);
        }
    }
    for (int64_t i = 0; i < rows; ++i) {
        T* const to = y + i * y_row + own.out;
        const T* const from = tile + i * wide;
        for (int64_t m = 0; m < own.dim; ++m) {
            for (int64_t v = 0; v < own.copies; ++v) to[v * own.dim + m] = from[m * apart + v];
        }
    }
}

// The rows of the gradient by x.
template <class T>
void to_inputs(const Irrep& own, int64_t rows, const T* y, int64_t y_row, const T* turned, T* tile,
               T* x, int64_t x_row) {
    const int64_t across = padded<T>(own.channels), step = own.step();
    for (int64_t m = 0; m < own.dim; ++m) {
        for (int64_t f = 0; f < own.groups; ++f) {
            eq::product<T>(rows, across, own.copies, {y + own.out + m, y_row, own.dim},
                           turned + own.turned + f * own.copies * across, across, tile, across);
            for (int64_t i = 0; i < rows; ++i) {
                T* const to = x + i * x_row + own.at(m, f);
                const T* const from = tile + i * across;
                for (int64_t c = 0; c < own.channels; ++c) to[c * step] = from[c];
            }
        }
    }
}

// Added to the gradient by W, laid out as `turned`.
template <class T>
void to_matrix(const Irrep& own, int64_t rows, const T* x, int64_t x_row, const T* y, int64_t y_row,
               T* tile, T* turned) {
    const int64_t across = padded<T>(own.channels), step = own.step();
    for (int64_t m = 0; m < own.dim; ++m) {
        for (int64_t f = 0; f < own.groups; ++f) {
            for (int64_t i = 0; i < rows; ++i) {
                const T* const from = x + i * x_row + own.at(m, f);
                T* const to = tile + i * across;
                for (int64_t c = 0; c < own.channels; ++c) to[c] = from[c * step];
                for (int64_t c = own.channels; c < across; ++c) to[c] = 0;
            }
            eq::product<T>(own.copies, across, rows, {y + own.out + m, own.dim, y_row}, tile, across,
                           turned + own.turned + f * own.copies * across, across, true);
        }
    }
}

// The sum of gradients that are laid out as `turned`, one after the other.
template <class T>
void add_parts(const Irreps<T>& irreps, int64_t parts, const T* copies, T* weights) {
    for (int64_t b = 0; b < irreps.count; ++b) {
        const Irrep& own = irreps[b];
        const int64_t across = padded<T>(own.channels);
        T* to = weights + own.weight;
        for (int64_t v = 0; v < own.copies; ++v) {
            for (int64_t f = 0; f < own.groups; ++f, to += own.channels) {
                const T* from = copies + own.turned + (f * own.copies + v) * across;
                std::memcpy(to, from, own.channels * sizeof(T));
                for (int64_t part = 1; part < parts; ++part) {
                    from += irreps.turns;
                    for (int64_t c = 0; c < own.channels; ++c) to[c] += from[c];
                }
            }
        }
    }
}

// body(first row, rows) for the rows from `begin` to `end`.
template <class Body>
void for_some(int64_t begin, int64_t end, const Body& body) {
    for (int64_t i = begin; i < end; i += kTall) body(i, end - i < kTall ? end - i : kTall);
}

}  // namespace

EQ_OPERATOR irrep_product(const T* x, const T* weights, T* y, const int64_t* numbers, int64_t irreps,
                          int64_t rows, int64_t x_row, int64_t y_row) {
    const Irreps<T> all(numbers, irreps);
    const Scratch<T> panels(all.panels);
    if (!all.memory || !panels) return EQ_NO_MEMORY;
    pack_panels(all, weights, panels.data());
    bool enough = true;
    parallel((rows + kTall - 1) / kTall, 2, [&](int64_t begin, int64_t end) {
        const Scratch<T> tile(kTall * all.tile);
        if (!tile) {
            enough = false;
            return;
        }
        for_some(begin * kTall, end * kTall < rows ? end * kTall : rows, [&](int64_t i, int64_t some) {
            eq::zero(y + i * y_row, some * y_row);
            for (int64_t b = 0; b < irreps; ++b) {
                forward(all[b], some, x + i * x_row, x_row, panels.data(), tile.data(), y + i * y_row,
                        y_row);
            }
        });
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(irrep_product)

// Each of the results may be null.
EQ_OPERATOR irrep_product_gradients(const T* y, const T* x, const T* weights, T* to_x, T* to_weights,
                                    const int64_t* numbers, int64_t irreps, int64_t rows,
                                    int64_t x_row, int64_t y_row) {
    const Irreps<T> all(numbers, irreps);
    const int64_t parts = rows / kPartRows < kMostParts ? 1 + rows / kPartRows : kMostParts;
    const int64_t part_rows = (rows + parts - 1) / parts, copy = to_weights ? all.turns : 0;
    const Scratch<T> turned(to_x ? all.turns : 0), copies(parts * copy);
    if (!all.memory || !turned || !copies) return EQ_NO_MEMORY;
    if (to_x) pack_turned(all, weights, turned.data());
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> tile(kTall * all.widest);
        if (!tile) {
            enough = false;
            return;
        }
        for (int64_t part = begin; part < end; ++part) {
            T* const own = copies.data() + part * copy;
            const int64_t first = part * part_rows, last = first + part_rows;
            eq::zero(own, copy);
            for_some(first, last < rows ? last : rows, [&](int64_t i, int64_t some) {
                const T *const from = x + i * x_row, *const v = y + i * y_row;
                T* const to = to_x ? to_x + i * x_row : nullptr;
                if (to) eq::zero(to, some * x_row);
                for (int64_t b = 0; b < irreps; ++b) {
                    if (to) to_inputs(all[b], some, v, y_row, turned.data(), tile.data(), to, x_row);
                    if (copy) to_matrix(all[b], some, from, x_row, v, y_row, tile.data(), own);
                }
            });
        }
    });
    if (!enough) return EQ_NO_MEMORY;
    if (to_weights) add_parts(all, parts, copies.data(), to_weights);
    return EQ_OK;
}
EQ_EXPORT(irrep_product_gradients)
