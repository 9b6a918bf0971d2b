// The sum over the edges of a graph, and its gradients:                equinet/ops/edge_sums.py
//
//     sum         z[i p u n] = sum_(e to i) w[e p u] sum_m K[e p n m] x[source e, u m],   w = h W
//     gradients   of <v, z> by x, K, h and W
//
// Edges are sorted by the end that owns what is added up: by target for z, by source for the gradient
// by x, and everything else in that same pass. Parts of the graph end between two points, and there
// are as many for any number of threads. Of w there is a block of edges at a time, in the cache.
#include "common/api.h"
#include "cpu/edge_paths.h"
#include "cpu/parallel.h"

namespace {

using eq::lanes;
using eq::Table;

constexpr int64_t kEdges = 48;      // of a block, a multiple of the rows of a tile
constexpr int64_t kPartEdges = 512;  // for which a part of its own is worth its start
constexpr int64_t kGrain = 1 << 15;  // numbers, for passes over memory
constexpr int64_t kParts = 64, kGradientParts = 16;  // at most; each of the latter has a copy of W

// Edges by the end that owns: of a point p, numbers order[starts[p]] to order[starts[p + 1]].
struct Graph {
    const int64_t *own, *other;  // ends of each edge
    const int64_t *order, *starts;
    int64_t points, others, count;

    // Whether all of that is so: nothing is read or written by a number that was not compared.
    bool sound() const {
        if (starts[0] != 0 || starts[points] != count) return false;
        for (int64_t p = 0; p < points; ++p) {
            if (starts[p + 1] < starts[p] || starts[p + 1] > count) return false;
            for (int64_t i = starts[p]; i < starts[p + 1]; ++i) {
                const int64_t e = order[i];
                if (e < 0 || e >= count || own[e] != p) return false;
                if (other[e] < 0 || other[e] >= others) return false;
            }
        }
        return true;
    }
    // The first point of a part.
    int64_t first(int64_t part, int64_t parts) const {
        if (part == parts) return points;
        const int64_t edge = count / parts * part;
        int64_t low = 0, high = points;
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (starts[middle] < edge) low = middle + 1; else high = middle;
        }
        return low;
    }
    // prepare(edges, count) and finish(edges, count) around every block of edges, visit(edge, place in
    // the block) for each, and close(point) behind the last of a point, for points p0 to p1.
    template <class Prepare, class Visit, class Finish, class Close>
    void walk(int64_t p0, int64_t p1, const Prepare& prepare, const Visit& visit,
              const Finish& finish, const Close& close) const {
        int64_t p = p0;
        for (int64_t e0 = starts[p0]; e0 < starts[p1]; e0 += kEdges) {
            const int64_t left = starts[p1] - e0, some = left < kEdges ? left : kEdges;
            prepare(order + e0, some);
            for (int64_t i = 0; i < some; ++i) {
                for (; starts[p + 1] <= e0 + i; ++p) close(p);
                visit(order[e0 + i], i);
            }
            finish(order + e0, some);
        }
        for (; p < p1; ++p) close(p);
    }
};

// C = A B or C += A B, a column of tiles after the other: one panel of B stays in the first cache.
template <class T>
void multiply(int64_t rows, int64_t width, int64_t depth, Table<T> a, const T* b, int64_t b_row,
              T* c, int64_t c_row, bool add) {
    constexpr int tall = eq::kTileRows * 2 / 3;
    const int64_t most = rows / tall * tall;
    eq::for_channels<T>(width, [&](auto shape, int64_t j) {
        constexpr int V = decltype(shape)::vectors;
        for (int64_t i = 0; i < most; i += tall) {
            eq::Vector<T> sum[tall][V];
            eq::multiply<T, tall, V>({a.at(i, 0), a.row, a.step}, b + j, b_row, depth, sum);
            for (int r = 0; r < tall; ++r) {
                T* const row = c + (i + r) * c_row + j;
                for (int v = 0; v < V; ++v) eq::store<T>(row + v * lanes<T>(), sum[r][v], add);
            }
        }
        eq::product<T>(rows - most, V * lanes<T>(), depth, {a.at(most, 0), a.row, a.step}, b + j,
                       b_row, c + most * c_row + j, c_row, add);
    });
}

// The blocks and paths of a plan, in rows as they are handed over and in padded rows.
template <class T>
class Plan {
  public:
    Plan(const int64_t* numbers, int64_t paths)
        : blocks(numbers[0]), paths(paths), block_(blocks), path_(paths) {
        if (!*this) return;
        const int64_t* n = numbers + 1;
        for (int64_t b = 0; b < blocks; ++b, n += 2) {
            block_.data()[b] = {n[0], n[1], eq::padded<T>(n[0]), x_width, x_row};
            x_width += n[0] * n[1];
            x_row += eq::padded<T>(n[0]) * n[1];
        }
        for (int64_t p = 0; p < paths; ++p, n += 2) {
            const eq::Block& from = block_.data()[n[0]];
            const eq::Block to{from.channels, n[1], from.wide, z_width, z_row};
            path_.data()[p] = {from, to, {to.channels, 1, to.wide, columns, wide}, entries};
            z_width += to.channels * to.dim;
            z_row += to.wide * to.dim;
            entries += to.dim * from.dim;
            columns += to.channels;
            wide += to.wide;
            tallest = to.dim > tallest ? to.dim : tallest;
        }
        // Rows an odd number of vectors apart do not meet in the same lines of the cache.
        w_row = (wide / lanes<T>() | 1) * lanes<T>();
    }
    explicit operator bool() const { return block_ && path_; }
    const eq::Block& block(int64_t b) const { return block_.data()[b]; }
    const eq::Path& path(int64_t p) const { return path_.data()[p]; }

    void pack_x(const T* row, T* to) const {
        for (int64_t b = 0; b < blocks; ++b) block(b).pack(row, to);
    }
    void unpack_x(const T* from, T* row) const {
        for (int64_t b = 0; b < blocks; ++b) block(b).unpack(from, row);
    }
    void pack_z(const T* row, T* to) const {
        for (int64_t p = 0; p < paths; ++p) path(p).to.pack(row, to);
    }
    void unpack_z(const T* from, T* row) const {
        for (int64_t p = 0; p < paths; ++p) path(p).to.unpack(from, row);
    }
    void pack_w(const T* row, T* to) const {
        for (int64_t p = 0; p < paths; ++p) path(p).weight.pack(row, to);
    }
    void unpack_w(const T* from, T* row) const {
        for (int64_t p = 0; p < paths; ++p) path(p).weight.unpack(from, row);
    }

    const int64_t blocks, paths;
    int64_t x_width = 0, x_row = 0, z_width = 0, z_row = 0, entries = 0, columns = 0, wide = 0;
    int64_t w_row = 0, tallest = 0;

  private:
    Scratch<eq::Block> block_;
    Scratch<eq::Path> path_;
};

// to[i] = pack(from[i]) for all rows.
template <class T, class Pack>
void pack_rows(int64_t rows, const T* from, int64_t width, T* to, int64_t row, const Pack& pack) {
    parallel(rows, 1 + kGrain / (row + 1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) pack(from + i * width, to + i * row);
    });
}

template <class T>
void zero(T* memory, int64_t count) {
    std::memset(memory, 0, count * sizeof(T));
}

// h and w = h W of a block of edges.
template <class T>
struct Weights {
    const T *hidden, *weights;  // W padded
    int64_t features, wide, w_row;
    void operator()(const int64_t* edges, int64_t count, T* h, T* w) const {
        for (int64_t i = 0; i < count; ++i) {
            std::memcpy(h + i * features, hidden + edges[i] * features, features * sizeof(T));
        }
        multiply<T>(count, wide, features, {h, features, 1}, weights, w_row, w, w_row, false);
    }
};

}  // namespace

// edges and order are (source, target) x count, starts those of the targets.
EQ_OPERATOR edge_sum(const T* x, const T* kernels, const T* hidden, const T* weights, T* out,
                     const int64_t* edges, const int64_t* order, const int64_t* starts,
                     const int64_t* numbers, int64_t paths, int64_t sources, int64_t targets,
                     int64_t count, int64_t features) {
    const Graph graph{edges + count, edges, order + count, starts, targets, sources, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths);
    if (!plan) return EQ_NO_MEMORY;
    const Scratch<T> x_memory(sources * plan.x_row), w_memory(features * plan.w_row);
    if (!x_memory || !w_memory) return EQ_NO_MEMORY;
    T *const packed = x_memory.data(), *const table = w_memory.data();
    pack_rows(sources, x, plan.x_width, packed, plan.x_row,
              [&](const T* row, T* to) { plan.pack_x(row, to); });
    pack_rows(features, weights, plan.columns, table, plan.w_row,
              [&](const T* row, T* to) { plan.pack_w(row, to); });
    const Weights<T> weigh{hidden, table, features, plan.wide, plan.w_row};
    const int64_t parts = count / kPartEdges < kParts ? 1 + count / kPartEdges : kParts;
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> h(kEdges * features), w(kEdges * plan.w_row), z(plan.z_row);
        if (!h || !w || !z) {
            enough = false;
            return;
        }
        zero(z.data(), plan.z_row);
        for (int64_t part = begin; part < end; ++part) {
            graph.walk(
                graph.first(part, parts), graph.first(part + 1, parts),
                [&](const int64_t* some, int64_t n) { weigh(some, n, h.data(), w.data()); },
                [&](int64_t e, int64_t i) {
                    const T* const from = packed + graph.other[e] * plan.x_row;
                    for (int64_t p = 0; p < plan.paths; ++p) {
                        eq::turn(plan.path(p), kernels + e * plan.entries, from,
                                 w.data() + i * plan.w_row, z.data());
                    }
                },
                [](const int64_t*, int64_t) {},
                [&](int64_t point) {
                    plan.unpack_z(z.data(), out + point * plan.z_width);
                    zero(z.data(), plan.z_row);
                });
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(edge_sum)

// As above, with starts of the sources; each of the results may be null.
EQ_OPERATOR edge_sum_gradients(const T* v, const T* x, const T* kernels, const T* hidden,
                               const T* weights, T* to_x, T* to_kernels, T* to_hidden, T* to_weights,
                               const int64_t* edges, const int64_t* order, const int64_t* starts,
                               const int64_t* numbers, int64_t paths, int64_t sources,
                               int64_t targets, int64_t count, int64_t features) {
    const Graph graph{edges, edges + count, order, starts, sources, targets, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths);
    if (!plan) return EQ_NO_MEMORY;
    const int64_t parts = count / kPartEdges < kGradientParts ? 1 + count / kPartEdges
                                                              : kGradientParts;
    const int64_t h_row = eq::padded<T>(features), copy = to_weights ? features * plan.w_row : 0;
    const Scratch<T> v_memory(targets * plan.z_row), w_memory(features * plan.w_row);
    const Scratch<T> turned(plan.wide * h_row), copies(parts * copy);
    if (!v_memory || !w_memory || !turned || !copies) return EQ_NO_MEMORY;
    T *const packed = v_memory.data(), *const table = w_memory.data();
    pack_rows(targets, v, plan.z_width, packed, plan.z_row,
              [&](const T* row, T* to) { plan.pack_z(row, to); });
    pack_rows(features, weights, plan.columns, table, plan.w_row,
              [&](const T* row, T* to) { plan.pack_w(row, to); });
    eq::Block{features, plan.wide, h_row, 0, 0}.pack_table(table, plan.w_row, turned.data());
    const Weights<T> weigh{hidden, table, features, plan.wide, plan.w_row};
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> h(kEdges * features), w(kEdges * plan.w_row), to_w(kEdges * plan.w_row);
        const Scratch<T> to_h(kEdges * h_row), from(plan.x_row), to(plan.x_row);
        const Scratch<T> room(eq::room<T>(plan.tallest)), kernel(plan.entries);
        if (!h || !w || !to_w || !to_h || !from || !to || !room || !kernel) {
            enough = false;
            return;
        }
        for (int64_t part = begin; part < end; ++part) {
            T* const own = copies.data() + part * copy;
            const int64_t p0 = graph.first(part, parts), p1 = graph.first(part + 1, parts);
            zero(own, copy);
            zero(to.data(), plan.x_row);
            int64_t packed_point = -1;
            graph.walk(
                p0, p1, [&](const int64_t* some, int64_t n) { weigh(some, n, h.data(), w.data()); },
                [&](int64_t e, int64_t i) {
                    if (packed_point != graph.own[e]) {
                        packed_point = graph.own[e];
                        plan.pack_x(x + packed_point * plan.x_width, from.data());
                    }
                    T* const row = to_kernels ? to_kernels + e * plan.entries : kernel.data();
                    for (int64_t p = 0; p < plan.paths; ++p) {
                        eq::gradients(plan.path(p), kernels + e * plan.entries, from.data(),
                                      w.data() + i * plan.w_row,
                                      packed + graph.other[e] * plan.z_row, to.data(),
                                      to_w.data() + i * plan.w_row, row, room.data());
                    }
                },
                [&](const int64_t* some, int64_t n) {
                    if (to_weights) {
                        multiply<T>(features, plan.wide, n, {h.data(), 1, features}, to_w.data(),
                                    plan.w_row, own, plan.w_row, true);
                    }
                    if (!to_hidden) return;
                    multiply<T>(n, h_row, plan.wide, {to_w.data(), plan.w_row, 1}, turned.data(),
                                h_row, to_h.data(), h_row, false);
                    for (int64_t i = 0; i < n; ++i) {
                        std::memcpy(to_hidden + some[i] * features, to_h.data() + i * h_row,
                                    features * sizeof(T));
                    }
                },
                [&](int64_t point) {
                    if (to_x) plan.unpack_x(to.data(), to_x + point * plan.x_width);
                    zero(to.data(), plan.x_row);
                });
        }
    });
    if (!enough) return EQ_NO_MEMORY;
    for (int64_t f = 0; to_weights && f < features; ++f) {
        T* const sum = copies.data() + f * plan.w_row;
        for (int64_t part = 1; part < parts; ++part) {
            for (int64_t j = 0; j < plan.wide; ++j) sum[j] += sum[part * copy + j];
        }
        plan.unpack_w(sum, to_weights + f * plan.columns);
    }
    return EQ_OK;
}
EQ_EXPORT(edge_sum_gradients)
