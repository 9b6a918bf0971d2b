// The sum over the edges of a graph, and its gradients:                equinet/ops/edge_sums.py
//
//     sum         z[i p n u] = sum_(e to i) w[e p u] sum_m K[e p n m] x[source e, u, m],   w = h W
//     gradients   of <v, z> by x, K, h and W; without W see edge_moments.h
//
// Edges are sorted by the end that owns what is added up: by target for z, by source for the gradient
// by x, and everything else in that same pass. Of w there is one path of a block of edges at a time,
// in the first cache.
#include "common/api.h"
#include "cpu/edge_kernels.h"
#include "cpu/edge_moments.h"

namespace {

using eq::lanes;
using eq::Plan;
using eq::Sheet;
using eq::Table;

constexpr int64_t kGradientParts = 16;  // at most, as each has a copy of W

// W in panels.
template <class T>
void pack_panels(const Plan<T>& plan, int64_t features, const T* weights, T* table) {
    plan.for_panels([&](int64_t column, int64_t at, int64_t some, int64_t width) {
        T* to = table + at * features;
        for (int64_t f = 0; f < features; ++f, to += width) {
            std::memcpy(to, weights + f * plan.columns + column, some * sizeof(T));
            std::memset(to + some, 0, (width - some) * sizeof(T));
        }
    });
}

// Columns of W as rows of `row` numbers.
template <class T>
void transpose(const Plan<T>& plan, int64_t features, const T* weights, T* turned, int64_t row) {
    eq::zero(turned, plan.wide * row);
    plan.for_panels([&](int64_t column, int64_t at, int64_t some, int64_t) {
        for (int64_t f = 0; f < features; ++f) {
            const T* const from = weights + f * plan.columns + column;
            for (int64_t j = 0; j < some; ++j) turned[(at + j) * row + f] = from[j];
        }
    });
}

// The sum of matrices in panels, each `copy` numbers after the other.
template <class T>
void add_panels(const Plan<T>& plan, int64_t features, int64_t parts, int64_t copy, const T* panels,
                T* weights) {
    plan.for_panels([&](int64_t column, int64_t at, int64_t some, int64_t width) {
        for (int64_t f = 0; f < features; ++f) {
            const T* from = panels + at * features + f * width;
            T* const to = weights + f * plan.columns + column;
            std::memcpy(to, from, some * sizeof(T));
            for (int64_t part = 1; part < parts; ++part) {
                from += copy;
                for (int64_t j = 0; j < some; ++j) to[j] += from[j];
            }
        }
    });
}

// What the gradients of all blocks of edges are made of; to_kernels, to_hidden and the sum of each part
// of the gradient by W may be null.
template <class T>
struct Backward {
    const Plan<T>& plan;
    const eq::Graph& graph;
    int64_t features, h_row;
    const T *v, *x, *kernels, *hidden, *table, *turned;  // v and x in padded rows
    T *to_x, *to_kernels, *to_hidden;
};

// The memory of one thread.
template <class T>
struct Work {
    explicit Work(const Backward<T>& all)
        : h(eq::kEdges * all.features),
          w(eq::kEdges * all.plan.widest),
          to_w(eq::kEdges * all.plan.widest),
          to_h(eq::kEdges * all.h_row),
          scaled(eq::kEdges * all.plan.tallest * all.plan.widest) {}
    explicit operator bool() const { return h && w && to_w && to_h && scaled; }
    const Scratch<T> h, w, to_w, to_h, scaled;
};

template <class T>
void gather_ends(const Backward<T>& all, const eq::EdgeBlock& block, eq::Ends<T>& ends, T* h) {
    const int64_t entries = all.plan.entries;
    for (int64_t i = 0; i < block.count; ++i) {
        const int64_t e = block.edges[i], later = block.next(i);
        ends.row[i] = all.v + all.graph.other[e] * all.plan.z_row;
        ends.kernel[i] = all.kernels + e * entries;
        ends.next[i] = all.v + all.graph.other[later] * all.plan.z_row;
        eq::ask_for(all.kernels + later * entries, entries);
        if (all.to_kernels) eq::ask_for(all.to_kernels + later * entries, entries);
        std::memcpy(h + i * all.features, all.hidden + e * all.features, all.features * sizeof(T));
    }
}

template <class T>
void add_path(const Backward<T>& all, const eq::EdgeBlock& block, const eq::Ends<T>& ends,
              const eq::Path& path, bool add, const Work<T>& work, T* to_weights) {
    const int64_t wide = path.from.wide, at = path.wide_column, features = all.features;
    eq::multiply<T>(block.count, wide, features, {work.h.data(), features, 1},
                    {all.table + at * features, 0, features}, {work.w.data(), wide, 0}, false);
    for (int64_t r = 0; r < block.runs; ++r) {
        const eq::Run& run = block.run[r];
        const T* const from = all.x + run.point * all.plan.x_row;
        eq::descend(path, run, ends, path.place.first, path.place.line, from, work.w.data(),
                    all.to_x + run.point * all.plan.x_row, work.to_w.data(), work.scaled.data());
        if (all.to_kernels) {
            eq::outer(path, run, block.edges, all.plan.entries, work.scaled.data(), from,
                      all.to_kernels);
        }
    }
    if (to_weights) {
        eq::multiply<T>(features, wide, block.count, {work.h.data(), 1, features},
                        {work.to_w.data(), wide, 0}, {to_weights + at * features, 0, features}, true);
    }
    if (all.to_hidden) {
        eq::multiply<T>(block.count, all.h_row, wide, {work.to_w.data(), wide, 1},
                        {all.turned + at * all.h_row, all.h_row, 0},
                        {work.to_h.data(), all.h_row, 0}, add);
    }
}

template <class T>
void add_block(const Backward<T>& all, const eq::EdgeBlock& block, const Work<T>& work,
               T* to_weights) {
    eq::Ends<T> ends;
    gather_ends(all, block, ends, work.h.data());
    for (int64_t p = 0; p < all.plan.paths; ++p) {
        add_path(all, block, ends, all.plan.path(p), p > 0, work, to_weights);
    }
    for (int64_t i = 0; all.to_hidden && i < block.count; ++i) {
        std::memcpy(all.to_hidden + block.edges[i] * all.features, work.to_h.data() + i * all.h_row,
                    all.features * sizeof(T));
    }
}

}  // namespace

// edges and order are (source, target) x count, starts those of the targets. Without W, `weighted` is
// 0: an empty tensor has a null pointer too.
EQ_OPERATOR edge_sum(const T* x, const T* kernels, const T* hidden, const T* weights, T* out,
                     const int64_t* edges, const int64_t* order, const int64_t* starts,
                     const int64_t* numbers, int64_t paths, int64_t sources, int64_t targets,
                     int64_t count, int64_t features, int64_t weighted) {
    if (!weighted) {
        return eq::moments(x, kernels, hidden, out, edges, order, starts, numbers, paths, sources,
                           targets, count, features);
    }
    const eq::Graph graph{edges + count, edges, order + count, starts, targets, sources, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths, 1);
    if (!plan) return EQ_NO_MEMORY;
    const Scratch<T> x_memory(sources * plan.x_row), table(features * plan.wide);
    const Scratch<T> z_memory(plan.is_whole ? 0 : targets * plan.z_row);
    if (!x_memory || !table || !z_memory) return EQ_NO_MEMORY;
    T *const packed = x_memory.data(), *const z = plan.is_whole ? out : z_memory.data();
    eq::move_rows(sources, x, plan.x_width, packed, plan.x_row,
                  [&](const T* row, T* to) { plan.pack_x(row, to); });
    pack_panels(plan, features, weights, table.data());
    const int64_t parts = graph.parts(eq::kParts);
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> h(eq::kEdges * features), w(eq::kEdges * plan.widest);
        if (!h || !w) {
            enough = false;
            return;
        }
        const auto open = [&](int64_t point) { eq::zero(z + point * plan.z_row, plan.z_row); };
        const auto visit = [&](const eq::EdgeBlock& block) {
            eq::Ends<T> ends;
            for (int64_t i = 0; i < block.count; ++i) {
                const int64_t e = block.edges[i];
                ends.row[i] = packed + graph.other[e] * plan.x_row;
                ends.kernel[i] = kernels + e * plan.entries;
                std::memcpy(h.data() + i * features, hidden + e * features, features * sizeof(T));
            }
            for (int64_t p = 0; p < plan.paths; ++p) {
                const eq::Path& path = plan.path(p);
                const int64_t wide = path.from.wide;
                const T* const panels = table.data() + path.wide_column * features;
                eq::multiply<T>(block.count, wide, features, {h.data(), features, 1},
                                {panels, 0, features}, {w.data(), wide, 0}, false);
                for (int64_t r = 0; r < block.runs; ++r) {
                    const eq::Run& run = block.run[r];
                    eq::turn(path, run, ends, w.data(), z + run.point * plan.z_row);
                }
            }
        };
        for (int64_t part = begin; part < end; ++part) graph.walk(part, parts, open, visit);
    });
    if (!enough) return EQ_NO_MEMORY;
    if (!plan.is_whole) {
        eq::move_rows(targets, z, plan.z_row, out, plan.z_width,
                      [&](const T* row, T* to) { plan.unpack_z(row, to); });
    }
    return EQ_OK;
}
EQ_EXPORT(edge_sum)

// As above, with starts of the sources; each of the results may be null.
EQ_OPERATOR edge_sum_gradients(const T* v, const T* x, const T* kernels, const T* hidden,
                               const T* weights, T* to_x, T* to_kernels, T* to_hidden, T* to_weights,
                               const int64_t* edges, const int64_t* order, const int64_t* starts,
                               const int64_t* numbers, int64_t paths, int64_t sources,
                               int64_t targets, int64_t count, int64_t features,
                               int64_t weighted) {
    if (!weighted) {
        return eq::moments_gradients(v, x, kernels, hidden, to_x, to_kernels, to_hidden, edges, order,
                                     starts, numbers, paths, sources, targets, count, features);
    }
    const eq::Graph graph{edges, edges + count, order, starts, sources, targets, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths, 1);
    if (!plan) return EQ_NO_MEMORY;
    const int64_t parts = graph.parts(kGradientParts), h_row = eq::padded<T>(features);
    const int64_t copy = to_weights ? features * plan.wide : 0;
    const Scratch<T> v_memory(plan.is_whole ? 0 : targets * plan.z_row), table(features * plan.wide);
    const Scratch<T> x_memory(sources * plan.x_row), to_memory(sources * plan.x_row);
    const Scratch<T> turned(plan.wide * h_row), copies(parts * copy);
    if (!v_memory || !table || !x_memory || !to_memory || !turned || !copies) return EQ_NO_MEMORY;
    const T* const given = plan.is_whole ? v : v_memory.data();
    if (!plan.is_whole) {
        eq::move_rows(targets, v, plan.z_width, v_memory.data(), plan.z_row,
                      [&](const T* row, T* to) { plan.pack_z(row, to); });
    }
    eq::move_rows(sources, x, plan.x_width, x_memory.data(), plan.x_row,
                  [&](const T* row, T* to) { plan.pack_x(row, to); });
    pack_panels(plan, features, weights, table.data());
    if (to_hidden) transpose(plan, features, weights, turned.data(), h_row);
    const Backward<T> all{plan, graph, features, h_row, given, x_memory.data(), kernels, hidden,
                          table.data(), turned.data(), to_memory.data(), to_kernels, to_hidden};
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Work<T> work(all);
        if (!work) {
            enough = false;
            return;
        }
        const auto open = [&](int64_t i) { eq::zero(all.to_x + i * plan.x_row, plan.x_row); };
        for (int64_t part = begin; part < end; ++part) {
            T* const own = copies.data() + part * copy;
            eq::zero(own, copy);
            graph.walk(part, parts, open, [&](const eq::EdgeBlock& block) {
                add_block(all, block, work, copy ? own : nullptr);
            });
        }
    });
    if (!enough) return EQ_NO_MEMORY;
    if (to_x) {
        eq::move_rows(sources, to_memory.data(), plan.x_row, to_x, plan.x_width,
                      [&](const T* row, T* to) { plan.unpack_x(row, to); });
    }
    if (to_weights) add_panels(plan, features, parts, copy, copies.data(), to_weights);
    return EQ_OK;
}
EQ_EXPORT(edge_sum_gradients)
