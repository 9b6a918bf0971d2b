// The sums over degrees of a transform on SO(3), (F1) of cpu/so3.cpp, and their transpose:
//
//     spectrum (rows, outer, inner)  <->  amplitudes z of waves (in gamma, in alpha; outer, beta, inner)
//
// with the waves 1, cos, sin, cos 2, sin 2, ... of both angles. A thread has one
// column and one pair of orders m, n >= 0. So of the spectrum and of z, which is as large as a signal
// and found in the second cache again if that holds it, each number is moved once by a block, for as
// many of the angles beta, or degrees, as the block has: up to 32 for 32 columns or more.

constexpr int kBetas = 4;    // angles of a thread in the sum
constexpr int kDegrees = 4;  // degrees of a thread in its transpose
constexpr int kLanes = 32;

// Where the coefficient (0, 0) of degree l lies in a spectrum; (m, n) lies m (2l + 1) + n behind.
__device__ inline i64 center_of(i64 l) { return l * (4 * l * l - 1) / 3 + (2 * l + 1) * l + l; }

// Where d+ and d- start for l = max(m, n), ...; `d` has them in chunks of m for each n, as
// equinet/ops/wigner.py says. For n = 0 there is no d-, and `minus` is `plus`.
struct Place {
    i64 plus, minus;
};

__device__ inline Place place_of(int m, int n, int band, i64 size, int chunk) {
    i64 at = 0;
    for (int m0 = 0; m0 < band && n; m0 += chunk) {  // all orders below n
        const int wide = m0 + chunk < band ? chunk : band - m0, over = n > m0 ? n - m0 : 0;
        at += wide * ((2 * n - 1) * (band - m0) - over * (over - 1));
    }
    const int start = m / unsigned(chunk) * chunk;
    for (int m0 = 0; m0 < start; m0 += chunk) {
        at += (n ? 2 : 1) * chunk * (band - (m0 > n ? m0 : n));
    }
    const int l0 = start > n ? start : n, l = m > n ? m : n;
    const int wide = start + chunk < band ? chunk : band - start;
    at += (m - start) * (band - l0) + l - l0;
    return {at * size, (at + (n ? wide * (band - l0) : 0)) * size};
}

// Four numbers of the orders +-m, +-n: coefficients (m, n), (-m, n), (-m, -n), (m, -n), or entries of
// z: cos cos, sin cos, sin sin, cos sin, in alpha and in gamma. Some are missing for m = 0 or n = 0.
template <class S>
struct Four {
    S *pp, *mp, *mm, *pm;
};

template <class S>
__device__ Four<S> coefficients(S* spectrum, i64 l, int m, int n, i64 columns) {
    S* const center = spectrum + center_of(l) * columns;
    const i64 same = (m * (2 * l + 1) + n) * columns, other = (m * (2 * l + 1) - n) * columns;
    return {center + same, m ? center - other : nullptr, m && n ? center - same : nullptr,
            n ? center + other : nullptr};
}

template <class S>
__device__ Four<S> amplitudes(S* z, int m, int n, i64 waves, i64 total) {
    S* const cosine = z + (n ? 2 * n - 1 : 0) * waves * total;  // in gamma
    S* const sine = z + 2 * n * waves * total;
    const i64 c = (m ? 2 * m - 1 : 0) * total, s = 2 * m * total;  // in alpha
    return {cosine + c, m ? cosine + s : nullptr, m && n ? sine + s : nullptr, n ? sine + c : nullptr};
}

__device__ inline T read(const T* from, i64 at) { return from ? from[at] : T(0); }

__device__ inline void write(T* to, i64 at, T value) {
    if (to) to[at] = value;
}

EQ_KERNEL(so3_sum_degrees)(const T* spectrum, const T* d, T* z, int band, i64 size, i64 columns,
                           i64 inner, int chunk) {
    const int n = blockIdx.y / unsigned(band), m = blockIdx.y % unsigned(band);
    const i64 column = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    const i64 group = i64(blockIdx.z) * blockDim.y + threadIdx.y;
    const i64 groups = (size + kBetas - 1) / kBetas;  // the angles beta of one are `groups` apart
    if (column >= columns || group >= groups) return;
    const Place place = place_of(m, n, band, size, chunk);
    const T *plus = d + place.plus, *minus = d + place.minus;
    T p[kBetas][2] = {}, q[kBetas][2] = {};
    for (int l = m > n ? m : n; l < band; ++l, plus += size, minus += size) {
        const Four<const T> f = coefficients(spectrum, l, m, n, columns);
        const T pp = f.pp[column], mp = read(f.mp, column), mm = read(f.mm, column),
                pm = read(f.pm, column);
        const T u = n ? pp - mm : T(0), v = n ? -mp - pm : T(0);
#pragma unroll
        for (int r = 0; r < kBetas; ++r) {
            const i64 beta = group + r * groups, at = beta < size ? beta : group;  // without a branch
            p[r][0] += plus[at] * (pp + mm);
            p[r][1] += plus[at] * (mp - pm);
            q[r][0] += minus[at] * u;
            q[r][1] += minus[at] * v;
        }
    }
    const Four<T> to = amplitudes(z, m, n, 2 * band - 1, size * columns);
    const i64 first = (column / inner * size + group) * inner + column % inner;
#pragma unroll
    for (int r = 0; r < kBetas; ++r) {
        if (group + r * groups >= size) break;
        const i64 at = first + r * groups * inner;
        write(to.pp, at, p[r][0] + q[r][0]);
        write(to.mp, at, q[r][1] - p[r][1]);
        write(to.mm, at, p[r][0] - q[r][0]);
        write(to.pm, at, p[r][1] + q[r][1]);
    }
}

// A warp has `wide` columns, a power of two, and shares the angles beta among the lanes of a column.
EQ_KERNEL(so3_find_degrees)(const T* z, const T* d, T* spectrum, int band, i64 size, i64 columns,
                            i64 inner, int chunk, int wide) {
    const int n = blockIdx.y / unsigned(band), m = blockIdx.y % unsigned(band);
    const int step = (blockIdx.z * blockDim.y + threadIdx.y) * kDegrees, l = (m > n ? m : n) + step;
    if (l >= band) return;  // the whole warp
    const int lane = threadIdx.x;
    const i64 column = i64(blockIdx.x) * wide + lane % wide;
    const Place place = place_of(m, n, band, size, chunk);
    const T *plus = d + place.plus + step * size, *minus = d + place.minus + step * size;
    const Four<const T> from = amplitudes(z, m, n, 2 * band - 1, size * columns);
    const i64 first = column / inner * size * inner + column % inner;
    T sum[kDegrees][4] = {};
#pragma unroll 2
    for (i64 beta = lane / wide; beta < size && column < columns; beta += kLanes / wide) {
        const i64 at = first + beta * inner;
        const T cc = from.pp[at], sc = read(from.mp, at), ss = read(from.mm, at),
                cs = read(from.pm, at);
        const T u = n ? cc - ss : T(0), v = n ? cs + sc : T(0);
#pragma unroll
        for (int r = 0; r < kDegrees; ++r) {
            const i64 entry = (l + r < band ? r : 0) * size + beta;  // without a branch
            sum[r][0] += plus[entry] * (cc + ss);
            sum[r][1] += plus[entry] * (cs - sc);
            sum[r][2] += minus[entry] * u;
            sum[r][3] += minus[entry] * v;
        }
    }
#pragma unroll
    for (int r = 0; r < kDegrees; ++r) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            for (int half = kLanes / 2; half >= wide; half /= 2) {
                sum[r][i] += __shfl_xor_sync(~0u, sum[r][i], half);
            }
        }
        if (l + r >= band || lane >= wide || column >= columns) continue;
        const Four<T> to = coefficients(spectrum, l + r, m, n, columns);
        write(to.pp, column, sum[r][0] + sum[r][2]);
        write(to.mp, column, sum[r][1] - sum[r][3]);
        write(to.mm, column, sum[r][0] - sum[r][2]);
        write(to.pm, column, -sum[r][1] - sum[r][3]);
    }
}
