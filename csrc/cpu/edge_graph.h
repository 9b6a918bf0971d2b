// Edges in the order of the end that owns what is added up, in parts and in blocks.
#pragma once
#include <cstdint>

namespace eq {

constexpr int64_t kEdges = 48;       // of a block, a multiple of the rows of a tile
constexpr int64_t kPartEdges = 512;  // for which a part of its own is worth its start

// Edges begin to end of a block have one owner.
struct Run {
    int64_t point, begin, end;
};

struct EdgeBlock {
    const int64_t* edges;  // their numbers
    int64_t count, later, runs;
    Run run[kEdges];
    // The number of an edge that comes as much later as there are in a block, or of some edge.
    int64_t next(int64_t i) const { return edges[i < later ? kEdges + i : i]; }
};

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
    // Parts end between two points, and there are as many for any number of threads.
    int64_t parts(int64_t most) const {
        return count / kPartEdges < most ? 1 + count / kPartEdges : most;
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
    // visit(block) for all edges of a part; open(point) before, for every point of it.
    template <class Open, class Visit>
    void walk(int64_t part, int64_t parts, const Open& open, const Visit& visit) const {
        const int64_t last = first(part + 1, parts);
        int64_t next = first(part, parts);  // the point that is opened next
        const int64_t begin = starts[next], end = starts[last];
        EdgeBlock block;
        for (int64_t at = begin; at < end; at += kEdges) {
            block.edges = order + at;
            block.count = end - at < kEdges ? end - at : kEdges;
            block.later = count - at - kEdges;
            block.runs = 0;
            for (int64_t i = 0; i < block.count;) {
                while (starts[next] <= at + i) open(next++);  // starts[last] lies beyond
                const int64_t left = starts[next] - at;
                const int64_t stop = left < block.count ? left : block.count;
                block.run[block.runs++] = {next - 1, i, stop};
                i = stop;
            }
            visit(block);
        }
        while (next < last) open(next++);
    }
};

}  // namespace eq
