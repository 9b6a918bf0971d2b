// The sum over edges whose weights are features, and its gradients; for edge_sum.cpp.
//
//     sum         z[i p n f u] = sum_(e to i) h[e f] sum_m K[e p n m] x[source e, u, m]
//     gradients   of <v, z> by x, K and h
//
// Edges are sorted as in edge_sum.cpp. The sum is a matrix product for each point and path: h of its
// edges, transposed, and their K x.
#pragma once
#include "common/api.h"
#include "cpu/edge_kernels.h"

namespace eq {

constexpr int64_t kParts = 64;  // at most

template <class T>
int moments(const T* x, const T* kernels, const T* hidden, T* out, const int64_t* edges,
            const int64_t* order, const int64_t* starts, const int64_t* numbers, int64_t paths,
            int64_t sources, int64_t targets, int64_t count, int64_t features) {
    const Graph graph{edges + count, edges, order + count, starts, targets, sources, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths, features);
    if (!plan) return EQ_NO_MEMORY;
    const Scratch<T> x_memory(sources * plan.x_row);
    const Scratch<T> z_memory(plan.is_whole ? 0 : targets * plan.z_row);
    if (!x_memory || !z_memory) return EQ_NO_MEMORY;
    T *const packed = x_memory.data(), *const z = plan.is_whole ? out : z_memory.data();
    move_rows(sources, x, plan.x_width, packed, plan.x_row,
                  [&](const T* row, T* to) { plan.pack_x(row, to); });
    const int64_t parts = graph.parts(kParts);
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const Scratch<T> h(kEdges * features);
        const Scratch<T> turned(kEdges * plan.tallest * plan.widest);
        if (!h || !turned) {
            enough = false;
            return;
        }
        const auto open = [&](int64_t point) { zero(z + point * plan.z_row, plan.z_row); };
        const auto visit = [&](const EdgeBlock& block) {
            for (int64_t i = 0; i < block.count; ++i) {
                std::memcpy(h.data() + i * features, hidden + block.edges[i] * features,
                            features * sizeof(T));
            }
            for (int64_t p = 0; p < plan.paths; ++p) {
                const Path& path = plan.path(p);
                const int64_t wide = path.from.wide, one = path.dim * wide;
                for (int64_t i = 0; i < block.count; ++i) {
                    const int64_t e = block.edges[i];
                    apply(path, kernels + e * plan.entries,
                              packed + graph.other[e] * plan.x_row, turned.data() + i * one);
                }
                for (int64_t r = 0; r < block.runs; ++r) {
                    const auto [point, first, last] = block.run[r];
                    T* const row = z + point * plan.z_row + path.place.first;
                    for (int64_t n = 0; n < path.dim; ++n) {
                        multiply<T>(features, wide, last - first,
                                        {h.data() + first * features, 1, features},
                                        {turned.data() + first * one + n * wide, one, 0},
                                        {row + n * path.place.line, path.place.group, 0}, true);
                    }
                }
            }
        };
        for (int64_t part = begin; part < end; ++part) graph.walk(part, parts, open, visit);
    });
    if (!enough) return EQ_NO_MEMORY;
    if (!plan.is_whole) {
        move_rows(targets, z, plan.z_row, out, plan.z_width,
                      [&](const T* row, T* to) { plan.unpack_z(row, to); });
    }
    return EQ_OK;
}

// What the gradients of all blocks of edges are made of; to_kernels and to_hidden may be null.
template <class T>
struct MomentsBackward {
    const Plan<T>& plan;
    const Graph& graph;
    int64_t features;
    const T *v, *x, *kernels, *hidden;  // v and x in padded rows
    T *to_x, *to_kernels, *to_hidden;
};

// The memory of one thread.
template <class T>
struct MomentsWork {
    explicit MomentsWork(const MomentsBackward<T>& all)
        : ones(kEdges * all.plan.widest),
          unused(kEdges * all.plan.widest),
          turned(all.plan.tallest * all.plan.widest),
          of_h(kEdges * all.features * lanes<T>()),
          scaled(kEdges * all.plan.tallest * all.plan.widest) {
        for (int64_t i = 0; ones && i < kEdges * all.plan.widest; ++i) ones.data()[i] = 1;
    }
    explicit operator bool() const { return ones && unused && turned && of_h && scaled; }
    const Scratch<T> ones, unused, turned, of_h, scaled;
};

template <class T>
void add_run(const MomentsBackward<T>& all, const EdgeBlock& block, Ends<T>& ends, const Path& path,
             const Run& run, const MomentsWork<T>& work) {
    const int64_t wide = path.from.wide, one = path.dim * wide, features = all.features;
    const T* const from = all.x + run.point * all.plan.x_row;
    for (int64_t i = run.begin; i < run.end; ++i) {
        const int64_t e = block.edges[i];
        T* const own = work.scaled.data() + i * one;
        ends.row[i] = ends.next[i] = own;
        apply(path, ends.kernel[i], from, work.turned.data());
        gather(path, features, all.hidden + e * features,
               all.v + all.graph.other[e] * all.plan.z_row, work.turned.data(), own,
               work.of_h.data() + i * features * lanes<T>());
    }
    // The weights are in what was gathered.
    descend(path, run, ends, 0, wide, from, work.ones.data(),
            all.to_x + run.point * all.plan.x_row, work.unused.data(), work.scaled.data());
    if (all.to_kernels) {
        outer(path, run, block.edges, all.plan.entries, work.scaled.data(), from, all.to_kernels);
    }
}

template <class T>
void add_block(const MomentsBackward<T>& all, const EdgeBlock& block, const MomentsWork<T>& work) {
    Ends<T> ends;
    zero(work.of_h.data(), block.count * all.features * lanes<T>());
    for (int64_t i = 0; i < block.count; ++i) {
        ends.kernel[i] = all.kernels + block.edges[i] * all.plan.entries;
    }
    for (int64_t p = 0; p < all.plan.paths; ++p) {
        for (int64_t r = 0; r < block.runs; ++r) {
            add_run(all, block, ends, all.plan.path(p), block.run[r], work);
        }
    }
    for (int64_t i = 0; all.to_hidden && i < block.count; ++i) {
        const T* const sums = work.of_h.data() + i * all.features * lanes<T>();
        for (int64_t f = 0; f < all.features; ++f) {
            const Vector<T> sum = load(sums + f * lanes<T>());
            add_lanes<T, 1>(&sum, all.to_hidden + block.edges[i] * all.features + f);
        }
    }
}

template <class T>
int moments_gradients(const T* v, const T* x, const T* kernels, const T* hidden, T* to_x,
                      T* to_kernels, T* to_hidden, const int64_t* edges, const int64_t* order,
                      const int64_t* starts, const int64_t* numbers, int64_t paths, int64_t sources,
                      int64_t targets, int64_t count, int64_t features) {
    const Graph graph{edges, edges + count, order, starts, sources, targets, count};
    if (!graph.sound()) return EQ_BAD_EDGES;
    const Plan<T> plan(numbers, paths, features);
    if (!plan) return EQ_NO_MEMORY;
    const Scratch<T> v_memory(plan.is_whole ? 0 : targets * plan.z_row);
    const Scratch<T> x_memory(sources * plan.x_row), to_memory(sources * plan.x_row);
    if (!v_memory || !x_memory || !to_memory) return EQ_NO_MEMORY;
    const T* const given = plan.is_whole ? v : v_memory.data();
    if (!plan.is_whole) {
        move_rows(targets, v, plan.z_width, v_memory.data(), plan.z_row,
                      [&](const T* row, T* to) { plan.pack_z(row, to); });
    }
    move_rows(sources, x, plan.x_width, x_memory.data(), plan.x_row,
                  [&](const T* row, T* to) { plan.pack_x(row, to); });
    const int64_t parts = graph.parts(kParts);
    const MomentsBackward<T> all{plan, graph, features, given, x_memory.data(), kernels, hidden,
                                 to_memory.data(), to_kernels, to_hidden};
    bool enough = true;
    parallel(parts, 1, [&](int64_t begin, int64_t end) {
        const MomentsWork<T> work(all);
        if (!work) {
            enough = false;
            return;
        }
        const auto open = [&](int64_t i) { zero(all.to_x + i * plan.x_row, plan.x_row); };
        const auto visit = [&](const EdgeBlock& block) { add_block(all, block, work); };
        for (int64_t part = begin; part < end; ++part) graph.walk(part, parts, open, visit);
    });
    if (!enough) return EQ_NO_MEMORY;
    if (to_x) {
        move_rows(sources, to_memory.data(), plan.x_row, to_x, plan.x_width,
                      [&](const T* row, T* to) { plan.unpack_x(row, to); });
    }
    return EQ_OK;
}

}  // namespace eq
