// The sum over the edges of a graph; equinet/ops/edge_sums.py has the equations.
//
//     z[i p n u] = sum_(e to i) w[e p u] sum_m K[e p n m] x[source e, u m],   w = h W
//
// and from the other end the gradient of <v, z> by x. Without W every path is there once for each
// feature, with the feature as its weight, and there are no columns.
//
// A lane has a channel. A warp takes eight edges at a time, and of their kernels eight rows and eight
// columns. What all its lanes need lies in shared memory, eight numbers beside each other; w is in
// registers, and nowhere else. Every number of a result is added up by one warp, in the order of the
// edges: no sum depends on which warp is first.
//
// An edge from or to no point, or one that `order` has with a wrong point, makes that sum NaN.

constexpr int kEight = 8;      // edges of a warp at a time, and rows and columns of a kernel
constexpr int kWarps = 4;      // of a block
constexpr int kMaxPaths = 48;  // of a launch

struct alignas(16) Eight {
    T entry[kEight];
};

// One path from vectors in x to vectors in z, and where its numbers start in rows of x, K, w and z. In
// z, `z_channel` numbers lie between channels and `z_component` between components; a kernel is
// (dim_out, dim_in).
struct EdgePath {
    i64 channels, dim_out, dim_in, x, kernel, weight, z, z_channel, z_component;
};
struct EdgePaths {
    i64 count, x_width, z_width, entries, columns;
    EdgePath path[kMaxPaths];
};

// The vectors at one end of a path: in a row of x or z, and in a kernel.
struct Side {
    i64 dim, start, channel, component, kernel;
};
__device__ inline Side x_side(const EdgePath& p) { return {p.dim_in, p.x, p.dim_in, 1, 1}; }
__device__ inline Side z_side(const EdgePath& p) {
    return {p.dim_out, p.z, p.z_channel, p.z_component, p.dim_in};
}

__device__ inline i64 least(i64 a, i64 b) { return a < b ? a : b; }
__device__ inline int eight(i64 left) { return left < kEight ? left : kEight; }
__device__ inline T not_a_number() { return T(0) / T(0); }

// A graph, and which edges a warp takes.
struct EdgeList {
    const i64* edges;
    i64 sources, targets, count;
};
struct SomeEdges {
    i64 number[kEight], source[kEight], target[kEight];  // with ends -1 where an edge is none
    __device__ void read(int i, i64 e, const EdgeList& list) {
        const bool is_there = 0 <= e && e < list.count;
        const i64 from = is_there ? list.edges[e] : -1, to = is_there ? list.edges[list.count + e] : -1;
        const bool sound = 0 <= from && from < list.sources && 0 <= to && to < list.targets;
        number[i] = sound ? e : 0;
        source[i] = sound ? from : -1;
        target[i] = sound ? to : -1;
    }
};

// Edges e0, e0 + 1, ... of a list.
__device__ inline void read_run(SomeEdges& some, int lane, i64 e0, int count, const EdgeList& list) {
    __syncwarp();
    if (lane < kEight) some.read(lane, e0 + (lane < count ? lane : 0), list);
    __syncwarp();
}

// shared[j][i] = h of edge i at feature f0 + j.
__device__ inline void stage_hidden(Eight* shared, const SomeEdges& some, int count, const T* hidden,
                                    i64 f0, i64 features, int lane) {
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        const bool inside = i < count && f0 + lane < features;
        shared[lane].entry[i] = inside ? hidden[some.number[i] * features + f0 + lane] : T(0);
    }
    __syncwarp();
}

// shared[8 i + c][r] = K of edge i, in row r0 + r of `to` and column c0 + c of `from`.
__device__ inline void stage_kernels(Eight* shared, const SomeEdges& some, const T* kernels,
                                     i64 entries, const Side& to, i64 r0, const Side& from, i64 c0,
                                     int lane) {
    const i64 row = r0 + lane % kEight;
    __syncwarp();
    for (int at = lane / kEight; at < kEight * kEight; at += kWarp / kEight) {
        const i64 column = c0 + at % kEight;
        const T* const own = kernels + some.number[at / kEight] * entries;
        const bool inside = row < to.dim && column < from.dim;
        shared[at].entry[lane % kEight] = inside ? own[row * to.kernel + column * from.kernel] : T(0);
    }
    __syncwarp();
}

// sum[i] += the sum over k < depth of shared[k][i] table[k step].
__device__ inline void multiply(const Eight* shared, const T* table, i64 step, int depth,
                                T (&sum)[kEight]) {
#pragma unroll 4
    for (int k = 0; k < depth; ++k) {
        const Eight left = shared[k];
        const T right = table[k * step];
#pragma unroll
        for (int i = 0; i < kEight; ++i) sum[i] += left.entry[i] * right;
    }
}

// w of eight edges in channel u of a path; without W a feature of h.
__device__ inline void weigh(Eight* shared, const SomeEdges& some, int count, const T* hidden,
                             const T* weights, i64 columns, const EdgePath& path, i64 u, i64 features,
                             int lane, T (&w)[kEight]) {
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        w[i] = columns ? T(0) : hidden[some.number[i] * features + path.weight];
    }
    for (i64 f = 0; columns && f < features; f += kWarp) {
        const T* const column = weights + f * columns + path.weight + u;
        stage_hidden(shared, some, count, hidden, f, features, lane);
        multiply(shared, column, columns, least(features - f, kWarp), w);
    }
}

// sum[r] += factor K[r c] x[c], for up to eight columns.
__device__ inline void turn(const Eight* kernel, const T* x, i64 step, int columns, T factor,
                            T (&sum)[kEight]) {
#pragma unroll 4
    for (int c = 0; c < columns; ++c) {
        const Eight left = kernel[c];
        const T right = factor * x[c * step];
#pragma unroll
        for (int r = 0; r < kEight; ++r) sum[r] += left.entry[r] * right;
    }
}

// sum[r] += w K x of eight edges along one path, which end in `point`, or with `by_source` w K^T v of
// those that start there; in channel u and in rows r0, r0 + 1, ...
__device__ inline void turn_edges(Eight* shared, const SomeEdges& some, int count, bool by_source,
                                  i64 point, const T* left, const T* kernels, const EdgePaths& paths,
                                  const EdgePath& path, i64 u, i64 r0, int lane,
                                  const T (&w)[kEight], T (&sum)[kEight]) {
    const Side x = x_side(path), z = z_side(path), to = by_source ? x : z, from = by_source ? z : x;
    const i64 *const own = by_source ? some.source : some.target;
    const i64 *const other = by_source ? some.target : some.source;
    const i64 width = by_source ? paths.z_width : paths.x_width;
    for (i64 c0 = 0; c0 < from.dim; c0 += kEight) {
        stage_kernels(shared, some, kernels + path.kernel, paths.entries, to, r0, from, c0, lane);
        const T* const right = left + from.start + u * from.channel + c0 * from.component;
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            if (i >= count) break;
            if (own[i] != point) {
                for (int r = 0; r < kEight; ++r) sum[r] = not_a_number();
                continue;
            }
            turn(shared + i * kEight, right + other[i] * width, from.component, eight(from.dim - c0),
                 w[i], sum);
        }
    }
}

// z, or with `by_source` its transpose, which is added to `out`, over all paths from one block: they
// stand together. A warp for each point, 32 channels of a block and eight of its components.
EQ_KERNEL(edge_sum)(int by_source, const T* left, const T* kernels, const T* hidden, const T* weights,
                    T* out, const i64* edges, const i64* order, const i64* starts, EdgePaths paths,
                    i64 sources, i64 targets, i64 count, i64 features) {
    __shared__ SomeEdges all_edges[kWarps];
    __shared__ Eight all_h[kWarps][kWarp], all_kernels[kWarps][kEight * kEight];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, first = blockIdx.y;
    SomeEdges& some = all_edges[warp];
    const i64 point = i64(blockIdx.x) * kWarps + warp;
    const EdgePath block = paths.path[first];
    const Side to = by_source ? x_side(block) : z_side(block);
    const i64 tiles = (block.channels + kWarp - 1) / kWarp;
    const i64 channel = blockIdx.z % tiles * kWarp + lane, u = least(channel, block.channels - 1);
    const i64 r0 = blockIdx.z / tiles * kEight;
    if (point >= (by_source ? sources : targets) || r0 >= to.dim) return;  // the whole warp
    if (by_source && first && paths.path[first - 1].x == block.x) return;
    int last = first + 1;
    while (by_source && last < paths.count && paths.path[last].x == block.x) ++last;
    const i64* const own_order = by_source ? order : order + count;
    const i64 begin = starts[point] < 0 ? 0 : starts[point], end = least(starts[point + 1], count);
    T sum[kEight] = {};
    for (i64 e = begin; e < end; e += kEight) {
        const int n = eight(end - e);
        __syncwarp();
        if (lane < kEight) {
            some.read(lane, own_order[e + (lane < n ? lane : 0)], {edges, sources, targets, count});
        }
        __syncwarp();
        for (int p = first; p < last; ++p) {
            const EdgePath path = paths.path[p];
            T w[kEight];
            weigh(all_h[warp], some, n, hidden, weights, paths.columns, path, u, features, lane, w);
            turn_edges(all_kernels[warp], some, n, by_source, point, left, kernels, paths, path, u, r0,
                       lane, w, sum);
        }
    }
    if (channel >= block.channels) return;
    T* const place = out + point * (by_source ? paths.x_width : paths.z_width) + to.start +
                     u * to.channel + r0 * to.component;
#pragma unroll
    for (int r = 0; r < kEight; ++r) {
        if (r0 + r >= to.dim) break;
        T& entry = place[r * to.component];
        entry = by_source ? entry + sum[r] : sum[r];
    }
}
