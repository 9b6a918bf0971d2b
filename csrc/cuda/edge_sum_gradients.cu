// The gradients of <v, z> by K, h and W, for the sum z over edges of edge_sum.cu, which has that by x.
// What is added up for an edge, or for a part of W, is added up by one warp, in order.

// The gradient by w of eight edges, <v, K x> in channel u.
__device__ inline void find_slopes(Eight* shared, const SomeEdges& some, int count, const T* v,
                                   const T* x, const T* kernels, const EdgePaths& paths,
                                   const EdgePath& path, i64 u, int lane, T (&slope)[kEight]) {
    const Side to = z_side(path), from = x_side(path);
#pragma unroll
    for (int i = 0; i < kEight; ++i) slope[i] = 0;
    for (i64 r0 = 0; r0 < to.dim; r0 += kEight) {
        for (i64 c0 = 0; c0 < from.dim; c0 += kEight) {
            stage_kernels(shared, some, kernels + path.kernel, paths.entries, to, r0, from, c0, lane);
#pragma unroll
            for (int i = 0; i < kEight; ++i) {
                if (i >= count) break;
                if (some.source[i] < 0) {
                    slope[i] = not_a_number();
                    continue;
                }
                const T* const right = x + some.source[i] * paths.x_width + from.start +
                                       u * from.channel + c0 * from.component;
                const T* const left = v + some.target[i] * paths.z_width + to.start +
                                      u * to.channel + r0 * to.component;
                T turned[kEight] = {};
                turn(shared + i * kEight, right, from.component, eight(from.dim - c0), T(1), turned);
#pragma unroll
                for (int r = 0; r < kEight; ++r) {
                    if (r0 + r < to.dim) slope[i] += left[r * to.component] * turned[r];
                }
            }
        }
    }
}

// Eight components of a vector in each channel of a warp. Eight numbers more lie between components,
// for some of them to be in other banks.
struct Vectors {
    Eight channels[kEight][kWarp / kEight + 1];
    __device__ void write(int lane, const T (&values)[kEight]) {
#pragma unroll
        for (int r = 0; r < kEight; ++r) {
            channels[r][lane / kEight].entry[lane % kEight] = values[r];
        }
    }
};

// values[r] += factor from[r step] for r < dim.
__device__ inline void add_vector(T (&values)[kEight], const T* from, i64 step, i64 dim, T factor) {
#pragma unroll
    for (int r = 0; r < kEight; ++r) {
        if (r < dim) values[r] += factor * from[r * step];
    }
}

// The sum over all channels of left[row] right[column].
__device__ inline T product(const Vectors& left, int row, const Vectors& right, int column) {
    T sum = 0;
#pragma unroll 1  // in float64 registers are short where this is called
    for (int k = 0; k < kWarp / kEight; ++k) {
        const Eight a = left.channels[row][k], b = right.channels[column][k];
#pragma unroll
        for (int j = 0; j < kEight; ++j) sum += a.entry[j] * b.entry[j];
    }
    return sum;
}

constexpr int kHalf = kEight / 2;

// sum[i] += the sum over 32 channels from u0 on of w v[n] x[m] of edge i, over the paths `first` to
// `last`, which have one kernel. A lane has row lane / 4, and columns lane % 4 and four behind it.
__device__ inline void add_outer(Eight* shared, Vectors& left, Vectors& right, const SomeEdges& some,
                                 int count, const T* v, const T* x, const T* hidden, const T* weights,
                                 const EdgePaths& paths, int first, int last, i64 u0, i64 r0, i64 c0,
                                 i64 features, int lane, T (&sum)[kEight][2]) {
    const EdgePath kernel = paths.path[first];
    const Side from = x_side(kernel);
    const bool is_there = u0 + lane < kernel.channels;
    const i64 u = is_there ? u0 + lane : u0;
    const i64 rows = is_there ? kernel.dim_out - r0 : 0, columns = is_there ? from.dim - c0 : 0;
    T own[kEight][kEight] = {};
    for (int p = first; p < last; ++p) {
        const EdgePath path = paths.path[p];
        const Side to = z_side(path);
        const T* const a = v + to.start + u * to.channel + r0 * to.component;
        T w[kEight];
        weigh(shared, some, count, hidden, weights, paths.columns, path, u, features, lane, w);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            if (some.source[i] < 0) continue;
            add_vector(own[i], a + some.target[i] * paths.z_width, to.component, rows, w[i]);
        }
    }
    const T* const b = x + from.start + u * from.channel + c0 * from.component;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        if (i >= count) break;
        if (some.source[i] < 0) {
            sum[i][0] = sum[i][1] = not_a_number();
            continue;
        }
        T other[kEight] = {};
        add_vector(other, b + some.source[i] * paths.x_width, from.component, columns, T(1));
        __syncwarp();
        left.write(lane, own[i]);
        right.write(lane, other);
        __syncwarp();
        sum[i][0] += product(left, lane / kHalf, right, lane % kHalf);
        sum[i][1] += product(left, lane / kHalf, right, lane % kHalf + kHalf);
    }
}

// Added to `out`: that, for all channels and all paths with one kernel, which stand together. A warp
// for eight edges and a kernel.
EQ_KERNEL(edge_kernels)(const T* v, const T* x, const T* hidden, const T* weights, T* out,
                        const i64* edges, EdgePaths paths, i64 sources, i64 targets, i64 count,
                        i64 features) {
    __shared__ SomeEdges all_edges[kWarps];
    __shared__ Eight all_h[kWarps][kWarp];
    __shared__ Vectors left[kWarps], right[kWarps];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, first = blockIdx.y;
    const i64 e0 = (i64(blockIdx.x) * kWarps + warp) * kEight;
    const EdgePath kernel = paths.path[first];
    if (e0 >= count) return;  // the whole warp
    if (first && paths.path[first - 1].kernel == kernel.kernel) return;
    int last = first + 1;
    while (last < paths.count && paths.path[last].kernel == kernel.kernel) ++last;
    const int n = eight(count - e0);
    SomeEdges& some = all_edges[warp];
    read_run(some, lane, e0, n, {edges, sources, targets, count});
    for (i64 r0 = 0; r0 < kernel.dim_out; r0 += kEight) {
        for (i64 c0 = 0; c0 < kernel.dim_in; c0 += kEight) {
            T sum[kEight][2] = {};
            for (i64 u0 = 0; u0 < kernel.channels; u0 += kWarp) {
                add_outer(all_h[warp], left[warp], right[warp], some, n, v, x, hidden, weights, paths,
                          first, last, u0, r0, c0, features, lane, sum);
            }
            const i64 row = r0 + lane / kHalf, column = c0 + lane % kHalf;
            T* place = out + e0 * paths.entries + kernel.kernel + row * kernel.dim_in + column;
#pragma unroll
            for (int i = 0; i < kEight; ++i, place += paths.entries) {
                if (i >= n || row >= kernel.dim_out) break;
                if (column < kernel.dim_in) place[0] += sum[i][0];
                if (column + kHalf < kernel.dim_in) place[kHalf] += sum[i][1];
            }
        }
    }
}

// Added to `out`: the sum over all channels of <v, K x> W, with W as (columns, features), or without W
// that of a feature. A warp for eight edges and 32 features.
EQ_KERNEL(edge_hidden)(const T* v, const T* x, const T* kernels, const T* weights, T* out,
                       const i64* edges, EdgePaths paths, i64 sources, i64 targets, i64 count,
                       i64 features) {
    __shared__ SomeEdges all_edges[kWarps];
    __shared__ Eight all_slopes[kWarps][kWarp], all_kernels[kWarps][kEight * kEight];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const i64 e0 = (i64(blockIdx.x) * kWarps + warp) * kEight;
    if (e0 >= count) return;  // the whole warp
    const int n = eight(count - e0);
    const i64 feature = i64(blockIdx.y) * kWarp + lane, f = least(feature, features - 1);
    SomeEdges& some = all_edges[warp];
    Eight* const slopes = all_slopes[warp];
    read_run(some, lane, e0, n, {edges, sources, targets, count});
    T sum[kEight] = {};
    for (int p = 0; p < paths.count; ++p) {
        const EdgePath path = paths.path[p];
        if (!paths.columns && path.weight / kWarp != blockIdx.y) continue;
        for (i64 u0 = 0; u0 < path.channels; u0 += kWarp) {
            const i64 left = path.channels - u0;
            T slope[kEight];
            find_slopes(all_kernels[warp], some, n, v, x, kernels, paths, path,
                        u0 + least(lane, left - 1), lane, slope);
            __syncwarp();
#pragma unroll
            for (int i = 0; i < kEight; ++i) slopes[lane].entry[i] = slope[i];
            __syncwarp();
            if (paths.columns) {
                multiply(slopes, weights + (path.weight + u0) * features + f, features,
                         least(left, kWarp), sum);
            } else if (lane < n) {
                T& entry = out[(e0 + lane) * features + path.weight];
                for (int k = 0; k < least(left, kWarp); ++k) entry += slopes[k].entry[lane];
            }
        }
    }
    if (!paths.columns || feature >= features) return;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        if (i < n) out[(e0 + i) * features + f] += sum[i];
    }
}

// out[part] = the sum of h <v, K x> over one run of edges of `parts`. A warp for each part, 32 channels
// of a path and 32 features.
EQ_KERNEL(edge_weights)(const T* v, const T* x, const T* kernels, const T* hidden, T* out,
                        const i64* edges, i64 parts, EdgePaths paths, i64 sources, i64 targets,
                        i64 count, i64 features) {
    __shared__ SomeEdges all_edges[kWarps];
    __shared__ Eight all_h[kWarps][kWarp], all_kernels[kWarps][kEight * kEight];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const i64 part = i64(blockIdx.x) * kWarps + warp;
    const EdgePath path = paths.path[blockIdx.y];
    const i64 tiles = (path.channels + kWarp - 1) / kWarp;
    const i64 channel = blockIdx.z % tiles * kWarp + lane, u = least(channel, path.channels - 1);
    const i64 f0 = blockIdx.z / tiles * kWarp;
    if (part >= parts || f0 >= features) return;  // the whole warp
    const i64 run = (count + parts * kEight - 1) / (parts * kEight) * kEight;
    const i64 end = least((part + 1) * run, count);
    SomeEdges& some = all_edges[warp];
    T sum[kWarp] = {};
    for (i64 e = part * run; e < end; e += kEight) {
        const int n = eight(end - e);
        read_run(some, lane, e, n, {edges, sources, targets, count});
        T slope[kEight];
        find_slopes(all_kernels[warp], some, n, v, x, kernels, paths, path, u, lane, slope);
        stage_hidden(all_h[warp], some, n, hidden, f0, features, lane);
#pragma unroll
        for (int f = 0; f < kWarp; ++f) {
            const Eight h = all_h[warp][f];
#pragma unroll
            for (int i = 0; i < kEight; ++i) sum[f] += h.entry[i] * slope[i];
        }
    }
    if (channel >= path.channels) return;
    T* const place = out + (part * features + f0) * paths.columns + path.weight + u;
#pragma unroll
    for (int f = 0; f < kWarp; ++f) {
        if (f0 + f < features) place[f * paths.columns] = sum[f];
    }
}
